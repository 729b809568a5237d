import { claimsAbout, liveUser } from '../account.ts';
import { accessTokenAdapter } from '../adapters/access-token-adapter.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { rememberedGrant } from '../adapters/grant-adapter.ts';
import { canBeServed } from '../client-authentication.ts';
import { subjectFor } from '../subject.ts';
import { grantedScopes, pickClaims } from './claims.ts';

/**
 * The claims that a Bearer token is good for (OIDC Core §5.3.2). undefined: no such token, one that is bound to a key or a
 * certificate, or one that was asked for with claims of its own.
 */
export async function userinfo(
  at: AdapterDeps,
  authorization: string | undefined,
): Promise<Record<string, unknown> | undefined> {
  const token = /^Bearer ([A-Za-z0-9._-]+)$/i.exec(authorization ?? '')?.[1];
  if (token?.split('.').length !== 3) return undefined;
  const found = await accessTokenAdapter(at, 'AccessToken').find(token);
  if (!found?.grantId || found.claims || found.jkt || found['x5t#S256']) return undefined;
  const { snapshot, appId } = at;
  const { accountId, clientId } = found;
  const client = snapshot.clients.get(clientId!);
  if (!client || !canBeServed(snapshot.app, client, at.mtls)) return undefined;
  const grant = rememberedGrant(found.grantId, { accountId, clientId });
  const user = grant && (await liveUser(at.db, appId, accountId!));
  const scopes = found.scope?.split(' ') ?? [];
  if (!user || !scopes.includes('openid')) return undefined;
  const granted = grantedScopes(grant, scopes);
  if (!granted) return undefined;
  const claims = claimsAbout(snapshot.app, user, { use: 'userinfo', scope: granted.join(' ') });
  const answer = pickClaims(snapshot, claims, granted);
  if (answer && 'sub' in answer) answer['sub'] = subjectFor(snapshot, clientId!, accountId!);
  return answer;
}
