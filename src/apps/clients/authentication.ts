import { authMethodOf, type ClientSettings, type ClientType } from '../app.ts';
import type { AuthMethod } from '../authentication-settings.ts';
import { settingUnfit, valueNotForType } from './errors.ts';
import { hasCertificate, keySetFault } from './key-set.ts';

const CERTIFICATE_NAMES = [
  'tls_client_auth_subject_dn',
  'tls_client_auth_san_dns',
  'tls_client_auth_san_uri',
  'tls_client_auth_san_ip',
  'tls_client_auth_san_email',
] as const;

const METHOD = 'token_endpoint_auth_method';
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** How the client authenticates, and what it needs for that: no more and no less. Throws Problems that name the setting. */
export function requireSoundAuthentication(type: ClientType, settings: ClientSettings): void {
  const method = authMethodOf({ type, settings });
  if (type === 'service' && method === 'none')
    throw valueNotForType(`settings.${METHOD}`, 'a service account has to authenticate');
  if (type === 'spa' && method !== 'none')
    throw valueNotForType(`settings.${METHOD}`, 'what runs in a browser can not keep a secret');
  requireKeys(method, settings);
  requireFittingAlgorithm(method, settings);
  requireCertificateName(method, settings);
}

function requireKeys(method: AuthMethod, { jwks, jwks_uri: uri }: ClientSettings): void {
  if (jwks && uri !== null)
    throw settingUnfit('jwks_uri', 'can not stand beside jwks; keep one of them (RFC 7591 §2)');
  if (jwks) {
    const fault = keySetFault(jwks.keys);
    if (fault) throw settingUnfit('jwks', fault);
  }
  if (uri !== null) requireKeyAddress(uri);
  if (method === 'private_key_jwt' && !jwks && uri === null)
    throw settingUnfit('jwks', 'or jwks_uri must be set for private_key_jwt');
  if (method !== 'self_signed_tls_client_auth') return;
  if (!jwks && uri === null) throw settingUnfit('jwks', `or jwks_uri must be set for ${method}`);
  if (jwks && !hasCertificate(jwks.keys))
    throw settingUnfit('jwks', `must hold the certificate (x5c) for ${method}`);
}

/** On loopback http will do; whether such an address is ever asked is decided where requests leave. */
function requireKeyAddress(uri: string): void {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const isHttps = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
  if (!url || !isHttps || url.username || url.password || uri.includes('#'))
    throw settingUnfit('jwks_uri', 'must be an https address without user name and fragment');
}

function requireFittingAlgorithm(method: AuthMethod, settings: ClientSettings): void {
  const { token_endpoint_auth_signing_alg: algorithm } = settings;
  if (algorithm === null) return;
  const fits = algorithm === 'HS256' ? method === 'client_secret_jwt' : method === 'private_key_jwt';
  if (!fits) throw settingUnfit('token_endpoint_auth_signing_alg', `${algorithm} does not go with ${method}`);
}

function requireCertificateName(method: AuthMethod, settings: ClientSettings): void {
  const [first, second] = CERTIFICATE_NAMES.filter((name) => settings[name] !== null);
  if (method !== 'tls_client_auth') {
    if (first) throw settingUnfit(first, `means something only with tls_client_auth, not with ${method}`);
    return;
  }
  if (!first)
    throw settingUnfit(
      'tls_client_auth_subject_dn',
      'or one of the tls_client_auth_san_* must be set for tls_client_auth (RFC 8705 §2.1.2)',
    );
  if (second) throw settingUnfit(second, `can not stand beside ${first}; keep one of them`);
}
