import { type Client, isConfidential } from '../../apps/app.ts';
import { accessTokenAdapter, jwtAlias } from '../adapters/access-token-adapter.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { rememberedGrant } from '../adapters/grant-adapter.ts';
import { mayIntrospect } from '../client-hooks.ts';
import { subjectFor } from '../subject.ts';
import { clientFields } from './client.ts';
import type { Form } from './form.ts';

export const introspectionFields: ReadonlySet<string> = new Set([
  ...clientFields,
  'token',
  'token_type_hint',
]);

/**
 * What an access token says that is good and that this client may ask about (RFC 7662 §2.2). undefined: any other, and
 * whatever is no JWT of ours.
 */
export async function introspected(
  at: AdapterDeps,
  client: Client,
  { token }: Form,
): Promise<Record<string, unknown> | undefined> {
  // Answers may be signed (RFC 9701).
  if (!isConfidential(client) || at.snapshot.app.settings.features.jwt_introspection) return undefined;
  if (token?.split('.').length !== 3) return undefined;
  const value = jwtAlias + token;
  const found =
    (await accessTokenAdapter(at, 'AccessToken').find(value)) ??
    (await accessTokenAdapter(at, 'ClientCredentials').find(value));
  if (!found) return undefined;
  const { accountId, clientId, grantId, jkt, 'x5t#S256': certificate } = found;
  if (grantId !== undefined && !rememberedGrant(grantId, { accountId, clientId })) return undefined;
  if (!mayIntrospect(at.snapshot, client.clientId, found)) return undefined;
  return {
    active: true,
    sub: accountId === undefined ? undefined : subjectFor(at.snapshot, clientId!, accountId),
    ...found['extra'],
    client_id: clientId,
    exp: found.exp,
    iat: found.iat,
    // In the token for whoever verifies it; no part of this answer.
    sid: undefined,
    iss: at.issuerUrl,
    jti: found.jti,
    aud: found['aud'] as string,
    scope: found.scope || undefined,
    cnf: jkt || certificate ? { 'x5t#S256': certificate, jkt } : undefined,
    token_type: jkt ? 'DPoP' : 'Bearer',
  };
}
