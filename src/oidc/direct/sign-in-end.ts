import { isRefreshBoundToSession } from '../../apps/app.ts';
import { digestOf, newNonce, newSecret } from '../../kernel/secret.ts';
import { part } from '../../storage/sql.ts';
import { savingGrant } from '../../users/grants/store.ts';
import { startingSession, type StoredSession, usingSession } from '../../users/sessions/store.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { interactionAdapter } from '../adapters/interaction-adapter.ts';
import { fillSessionUid, sessionToBegin } from '../adapters/new-session.ts';
import { isFapi } from '../features/fapi.ts';
import type { EndingWrites, Interaction, SignedIn } from '../interaction.ts';
import { protocolRoutes } from '../issuers.ts';
import { sidOf } from '../session-ids.ts';
import { grantSeconds } from '../token-hooks.ts';
import { type Asked, askedIn, ledBack } from './asked.ts';
import type { Redirect } from './authorization.ts';
import { bringsNoSession, resumeCookiesCleared, sessionCookies } from './session-cookie.ts';

/** From where somebody signs in. */
export type From = {
  cookies: string | undefined;
  userAgent: string | undefined;
  address: string | undefined;
};

/** What is left of a sign-in that needs no library: a session, a grant and a code for its first client. */
export type SignInEnd = {
  writes(signedIn: SignedIn): EndingWrites;
  /** Once that is committed: to the client, with a code. */
  redirect(signedIn: SignedIn): Promise<Redirect>;
  /** Where that can not be kept: to the authorization endpoint once more, now with a session. */
  again(): Redirect;
};

/**
 * For somebody who was signed in nowhere here, at a client that asks nobody, by a request that holds nothing unusual: as
 * the library would do it after one more trip of the browser (`/authorize/{uid}`). undefined: it has to.
 */
export function signInEnd(at: AdapterDeps, interaction: Interaction, from: From): SignInEnd | undefined {
  if (isFapi(at.snapshot) || !bringsNoSession(at, from.cookies)) return undefined;
  const asked = askedIn(at, interaction.plainForm);
  if (!asked) return undefined;
  const sessionId = newSecret();
  const begun = { uid: newNonce(), grantId: newSecret(), digest: digestOf(sessionId) };
  let session: StoredSession | undefined;
  const cookies = (): string[] => {
    const expires = new Date((epochSeconds() + at.snapshot.app.settings.session_idle_ttl) * 1000);
    return [...resumeCookiesCleared(at, interaction.uid), ...sessionCookies(at, sessionId, expires)];
  };
  return {
    writes: (signedIn) => {
      const { row, ...written } = writes({ at, asked, from, begun, signedIn });
      session = row;
      return written;
    },
    redirect: async (signedIn) => {
      const { userId: accountId, acr, amr, authTimeSeconds: authTime } = signedIn;
      const { uid: sessionUid, grantId } = begun;
      const who = { sessionUid, grantId, accountId, acr, amr, authTime };
      const [location] = await Promise.all([
        ledBack(at, asked, { ...who, sid: sidOf(sessionUid, asked.client.clientId), scope: scopeOf(asked) }),
        interactionAdapter(at).destroy(interaction.uid),
        // The redemption asks for it. Session and grant are read when somebody comes back.
        session && fillSessionUid(at, session),
      ]);
      return { location, cookies: cookies() };
    },
    again: () => ({
      location: `${at.issuerUrl}${protocolRoutes.authorization}?${new URLSearchParams(asked.form)}`,
      cookies: cookies(),
    }),
  };
}

type ToWrite = {
  at: AdapterDeps;
  asked: Asked;
  from: From;
  begun: { uid: string; grantId: string; digest: string };
  signedIn: SignedIn;
};

const scopeOf = ({ scopes }: Asked): string => scopes.join(' ');

function writes({ at, asked, from, begun, signedIn }: ToWrite): EndingWrites & { row: StoredSession } {
  const { appId, issuer, issuerUrl, snapshot } = at;
  const { clientId } = asked.client;
  const { userId, acr, amr, authTimeSeconds } = signedIn;
  const { uid, grantId, digest } = begun;
  const endsWithSession = isRefreshBoundToSession(asked.client);
  const sid = sidOf(uid, clientId);
  const authorization = {
    sid,
    grantId,
    ...(endsWithSession ? {} : { persistsLogout: true }),
    issuers: [issuerUrl],
  };
  const payload = {
    accountId: userId,
    loginTs: authTimeSeconds,
    amr,
    acr,
    uid,
    kind: 'Session',
    authorizations: { [clientId]: authorization },
  };
  const use = {
    clientId,
    sid,
    issuer: issuerUrl,
    issuerKind: issuer === 'shared' ? ('shared' as const) : ('own' as const),
  };
  const { userAgent, address } = from;
  const { session, row } = sessionToBegin(at, { uid, digest, payload, use, userAgent, address });
  const grant = {
    appId,
    grantId,
    userId,
    clientId,
    sessionUid: endsWithSession ? uid : undefined,
    payload: { accountId: userId, clientId, kind: 'Grant', openid: { scope: scopeOf(asked) } },
    ttlSeconds: grantSeconds(snapshot.app.settings),
  };
  return {
    parts: part`, allowed as (${savingGrant(grant, part`from once`)}),
      started as (${startingSession(session, part`, once`)}), used as (${usingSession(use)})`,
    isBegun: part`exists (select from started)`,
    row,
  };
}
