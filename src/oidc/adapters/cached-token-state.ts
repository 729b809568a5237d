import type { AccessTokenState } from '../../users/grants/token-state.ts';
import type { GrantPayload } from '../../users/grants/store.ts';
import { routeNow } from '../unit-of-work.ts';
import type { AdapterDeps } from './adapter-deps.ts';

type Asked = { jti: string; sub: string; grantId: string | undefined; ttlSeconds: number };

/** Of a token's state that which introspection needs; of a service account's there is nothing more to know. */
export type CachedTokenState = Pick<AccessTokenState, 'user_id' | 'grant_payload' | 'grant_remaining'>;

const NOBODY: CachedTokenState = { user_id: '', grant_payload: {}, grant_remaining: '0' };

/**
 * What was known of a token at most five minutes ago, where nothing has been revoked since: a denied token, an ended
 * grant and an ended user leave tombstones before their end is acknowledged. 'gone': denied or ended. undefined: ask the
 * database. For introspection alone, which resource servers do for each of their own requests; whoever needs the person
 * asks the database anyway.
 */
export async function cachedTokenState(
  { appId, cache }: AdapterDeps,
  { jti, sub, grantId }: Asked,
): Promise<CachedTokenState | 'gone' | undefined> {
  if (!cache.isInUse || routeNow() !== 'introspection') return undefined;
  // With Redis away the database answers.
  const read = (kind: 'access_token' | 'grant' | 'user', id: string) =>
    cache.read(appId, kind, id).catch(() => undefined);
  const [token, grant, user] = await Promise.all([
    read('access_token', jti),
    grantId === undefined ? undefined : read('grant', grantId),
    read('user', sub),
  ]);
  if (token === 'gone' || grant === 'gone') return 'gone';
  if (token === undefined) return undefined;
  if (grantId === undefined) return NOBODY;
  if (grant === undefined || user !== undefined) return undefined;
  const { user_id: userId } = JSON.parse(token) as { user_id: string };
  // A pairwise `sub` does not say whose token it is.
  if (userId !== sub && (await read('user', userId)) !== undefined) return undefined;
  const { payload, remaining } = JSON.parse(grant) as { payload: GrantPayload; remaining: string };
  return { user_id: userId, grant_payload: payload, grant_remaining: remaining };
}

/** After the database was asked. What was revoked meanwhile has its tombstone and stays revoked. */
export async function rememberTokenState(
  { appId, cache }: AdapterDeps,
  { jti, grantId, ttlSeconds }: Asked,
  state: AccessTokenState | undefined,
): Promise<void> {
  if (!cache.isInUse || routeNow() !== 'introspection') return;
  const value = JSON.stringify({ user_id: state?.user_id });
  const token = cache.fill(appId, { kind: 'access_token', id: jti, version: 1, value, ttlSeconds });
  if (!state || grantId === undefined) return token;
  const { grant_payload: payload, grant_remaining: remaining, grant_revision: revision } = state;
  const grant = {
    version: Number(revision),
    value: JSON.stringify({ payload, remaining, revision }),
    ttlSeconds: Number(remaining),
  };
  await Promise.all([token, cache.fill(appId, { kind: 'grant', id: grantId, ...grant })]);
}
