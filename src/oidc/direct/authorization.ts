import type { AdapterPayload } from 'oidc-provider';
import { isRefreshBoundToSession } from '../../apps/app.ts';
import { liveUser } from '../account.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { GrantAdapter } from '../adapters/grant-adapter.ts';
import { SessionAdapter } from '../adapters/session-adapter.ts';
import { type Admitted, type Asked, askedIn, ledBack, PLAIN_PARAMETERS } from './asked.ts';
import { grantedScopes } from './claims.ts';
import { plainFields } from './form.ts';
import { type Presented, sessionCookies, sessionIdIn } from './session-cookie.ts';

const FIELDS: ReadonlySet<string> = new Set(PLAIN_PARAMETERS);

/** Where the browser goes, and what it is given. */
export type Redirect = { location: string; cookies: string[] };

/**
 * A code for somebody who is signed in, at a client that asks nobody, for what it was given before. undefined: somebody has
 * to be asked something, or the request is not this plain.
 */
export async function authorized(at: AdapterDeps, presented: Presented): Promise<Redirect | undefined> {
  const asked = askedIn(at, plainFields(presented.query, FIELDS));
  if (!asked) return undefined;
  const sessionId = sessionIdIn(at, presented.cookies);
  if (sessionId === undefined) return undefined;
  const sessions = new SessionAdapter(at);
  const session = await sessions.find(sessionId);
  const known = session && (await knownHere(at, asked, session));
  if (!known) return undefined;
  const location = await ledBack(at, asked, known);
  sessions.touch(sessionId);
  const expires = new Date((epochSeconds() + at.snapshot.app.settings.session_idle_ttl) * 1000);
  return { location, cookies: sessionCookies(at, sessionId, expires) };
}

type Authorization = { sid?: unknown; grantId?: unknown; issuers?: unknown; persistsLogout?: unknown };

/** Who it is, if the session has been at this client, at this issuer, for as much. */
async function knownHere(
  at: AdapterDeps,
  { client, scopes }: Asked,
  session: AdapterPayload,
): Promise<Admitted | undefined> {
  const { clientId } = client;
  const { accountId, acr, amr, loginTs, uid, transient } = session;
  const { sid, grantId, issuers, persistsLogout } = ((
    session.authorizations as Record<string, Authorization> | undefined
  )?.[clientId] ?? {}) as Authorization;
  if (!accountId || transient || typeof sid !== 'string' || typeof grantId !== 'string') return undefined;
  if (!Array.isArray(issuers) || !issuers.includes(at.issuerUrl)) return undefined;
  if (!isRefreshBoundToSession(client) && persistsLogout !== true) return undefined;
  const [user, grant] = await Promise.all([
    liveUser(at.db, at.appId, accountId),
    new GrantAdapter(at).find(grantId),
  ]);
  if (!user || grant?.accountId !== accountId || grant.clientId !== clientId) return undefined;
  const granted = grantedScopes(grant, scopes);
  if (granted?.length !== scopes.length) return undefined;
  return { sessionUid: uid, sid, grantId, accountId, acr, amr, authTime: loginTs, scope: granted.join(' ') };
}
