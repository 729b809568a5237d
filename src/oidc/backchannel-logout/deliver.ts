import type { Client } from '../../apps/app.ts';
import type { AppRegistry } from '../../apps/registry.ts';
import { GiveUp, type Job, type JobHandler } from '../../delivery/jobs/job.ts';
import { audit } from '../../events/audit.ts';
import type { Outgoing } from '../../http/outgoing.ts';
import type { Database } from '../../storage/database.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { LogoutNotice } from '../../users/logout/announce.ts';
import { subjectFor } from '../subject.ts';
import { signLogoutToken } from './logout-token.ts';

export type DeliverDeps = {
  db: Database;
  registry: Pick<AppRegistry, 'snapshot' | 'deploymentKeys' | 'ringOf'>;
  outgoing: Outgoing;
  metrics: Pick<Metrics, 'logoutTokens'>;
};

/** The last try is about an hour and a half after the first (see backoffSeconds). */
const MAX_TRIES = 8;
const TIMEOUT_MS = 5000;
/** The answer says nothing that we would read. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Tells one client that a session of its user has ended (OpenID Connect Back-Channel Logout 1.0 §2.5). The token is
 * made when it is sent, with the key that signs then. A try that is repeated after a lost answer bears the same `jti`.
 */
export function logoutTokenHandler(deps: DeliverDeps): JobHandler {
  return async (job) => {
    const notice = job.payload as LogoutNotice;
    const addressee = await addresseeOf(deps, job.appId, notice);
    // Nobody is there any more: the app, the client or its URI is gone.
    if (!addressee) return;
    const token = await signLogoutToken(
      {
        issuer: notice.issuer,
        clientId: notice.clientId,
        subject: subjectFor(addressee.snapshot, notice.clientId, notice.userId),
        sid: notice.sid,
        jti: job.jobId,
      },
      addressee.key,
    );
    const failure = await send(deps.outgoing, addressee.uri, token);
    if (failure === undefined) {
      deps.metrics.logoutTokens.inc({ result: 'delivered' });
      return record(deps.db, job, { type: 'backchannel_logout.delivered', result: 'success' });
    }
    if (job.attempt < MAX_TRIES) {
      deps.metrics.logoutTokens.inc({ result: 'retried' });
      throw failure;
    }
    deps.metrics.logoutTokens.inc({ result: 'failed' });
    await record(deps.db, job, { type: 'backchannel_logout.failed', result: 'failure' });
    throw new GiveUp('a client could not be told of a sign-out', { cause: failure });
  };
}

async function addresseeOf(deps: DeliverDeps, appId: string, notice: LogoutNotice) {
  const snapshot = await deps.registry.snapshot(appId);
  const client: Client | undefined = snapshot?.clients.get(notice.clientId);
  const uri = client?.settings.backchannel_logout_uri;
  const ring =
    notice.issuerKind === 'own'
      ? snapshot && deps.registry.ringOf(snapshot)
      : await deps.registry.deploymentKeys();
  const key = ring?.published[0];
  return snapshot && uri && key ? { snapshot, uri, key } : undefined;
}

/** §2.8: 200, and 204 as many frameworks answer. Anything else, a redirect too, is a failure. */
async function send(outgoing: Outgoing, uri: string, token: string): Promise<Error | undefined> {
  try {
    const response = await outgoing(uri, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'cache-control': 'no-store' },
      body: new URLSearchParams({ logout_token: token }).toString(),
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
    });
    if (response.status === 200 || response.status === 204) return undefined;
    return Object.assign(new Error('the logout URI refused'), { code: `http_${response.status}` });
  } catch (error) {
    return error instanceof Error ? error : new Error('the logout URI could not be reached');
  }
}

async function record(
  db: Database,
  job: Job,
  outcome: { type: string; result: 'success' | 'failure' },
): Promise<void> {
  const { clientId, userId, issuer, sid, why } = job.payload as LogoutNotice;
  await db.transaction(job.appId, (tx) =>
    audit(tx, {
      ...outcome,
      appId: job.appId,
      actor: { type: 'system' },
      userId,
      clientId,
      details: { issuer, sid, why, tries: job.attempt, jti: job.jobId },
    }),
  );
}
