import { newSecret } from '../../kernel/secret.ts';
import { type Api, allScopeNames } from '../../apps/apis/api.ts';
import { type Client, isConfidential } from '../../apps/app.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { epochSeconds } from '../adapters/adapter-deps.ts';
import { resourceOf } from '../resources.ts';
import { signJwt } from '../sign-jwt.ts';
import { clientFields } from './client.ts';
import { type Form, holdsOnly } from './form.ts';

const FIELDS: ReadonlySet<string> = new Set([...clientFields, 'grant_type', 'scope', 'resource']);

type Granted = { audience: string; scopes: readonly string[]; ttlSeconds: number };

/**
 * A service account's token (RFC 6749 §4.4) for the app itself or one of its APIs (RFC 8707), as RFC 9068 has it. undefined:
 * it asks for something that it may not have, or that is not this plain.
 */
export async function machineToken(
  at: AdapterDeps,
  client: Client,
  form: Form,
): Promise<Record<string, unknown> | undefined> {
  if (client.type !== 'service' || !isConfidential(client) || !holdsOnly(form, FIELDS)) return undefined;
  const granted = form['resource'] === undefined ? forApp(at, client, form) : forApi(at, client, form);
  if (!granted) return undefined;
  const { audience, scopes, ttlSeconds } = granted;
  const scope = scopes.length ? scopes.join(' ') : undefined;
  const iat = epochSeconds();
  const token = await signJwt(at.keys[0]!, 'at+jwt', {
    app_id: at.appId,
    jti: newSecret(),
    sub: client.clientId,
    iat,
    exp: iat + ttlSeconds,
    scope,
    client_id: client.clientId,
    iss: at.issuerUrl,
    aud: audience,
  });
  return { access_token: token, expires_in: ttlSeconds, scope, token_type: 'Bearer' };
}

/** RFC 6749 §3.3. */
const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*$/;

/** Each once, in the order in which they were asked for. */
function scopesIn(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return [];
  return SCOPE.test(text) ? [...new Set(text.split(' '))] : undefined;
}

function forApp({ snapshot }: AdapterDeps, client: Client, form: Form): Granted | undefined {
  const scopes = scopesIn(form['scope']);
  const { appId, settings } = snapshot.app;
  // A name that an API has means something only together with it.
  const ofApis = snapshot.apis.size ? allScopeNames(snapshot.apis) : undefined;
  if (!scopes?.every((scope) => client.scopes.includes(scope) && !ofApis?.has(scope))) return undefined;
  return { audience: appId, scopes, ttlSeconds: settings.access_token_ttl };
}

function forApi(at: AdapterDeps, client: Client, form: Form): Granted | undefined {
  const { api, info } = resourceOf(at, client, form['resource']!) ?? {};
  // RFC 8707 §2: an absolute URI without a fragment.
  if (!api || !info || !URL.canParse(form['resource']!) || form['resource']!.includes('#')) return undefined;
  const allowed = new Set(info.scope?.split(' '));
  const scopes = form['scope'] === undefined ? defaultsOf(api, allowed) : scopesIn(form['scope']);
  if (!scopes?.every((scope) => allowed.has(scope))) return undefined;
  return { audience: info.audience!, scopes, ttlSeconds: info.accessTokenTTL! };
}

const defaultsOf = (api: Api, allowed: ReadonlySet<string>): string[] =>
  api.scopes.filter((scope) => scope.default && allowed.has(scope.name)).map(({ name }) => name);
