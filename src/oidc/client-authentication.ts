import { type Configuration, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { type App, authMethodOf, type Client } from '../apps/app.ts';
import { assertionAlgorithms, type AuthMethod } from '../apps/authentication-settings.ts';
import type { Config } from '../config/config.ts';
import { stateOf } from '../http/request-state.ts';
import { FrequencyCache } from '../kernel/frequency-cache.ts';
import { digestOf } from '../kernel/secret.ts';
import { spend } from '../storage/spent.ts';
import { certificateIsCalled, type CertificateNameSetting } from './certificate-names.ts';
import { isRegisteredUri } from './redirect-comparison.ts';
import type { RemoteKeys } from './remote-keys.ts';
import { unitOfWork, type Write } from './unit-of-work.ts';

/** What of mutual TLS this deployment's proxy makes possible. */
export type MutualTls = { selfSigned: boolean; verified: boolean };

export const mutualTlsOf = ({ mtls }: Pick<Config, 'mtls'>): MutualTls => ({
  selfSigned: mtls !== undefined,
  verified: mtls?.verifiedHeader !== undefined,
});

/** How clients may authenticate in this deployment. */
export function authMethodsHere(mtls: MutualTls): AuthMethod[] {
  return [
    'client_secret_basic',
    'client_secret_post',
    'client_secret_jwt',
    'private_key_jwt',
    ...(mtls.verified ? (['tls_client_auth'] as const) : []),
    ...(mtls.selfSigned ? (['self_signed_tls_client_auth'] as const) : []),
    'none',
  ];
}

/**
 * A client that this deployment can not authenticate, or whose tokens it could not bind as it asks, is not known here:
 * without its proxy's header a certificate-bound client would otherwise get tokens that anyone can use.
 */
export function canBeServed(app: App, client: Client, mtls: MutualTls): boolean {
  if (client.registered === 'document' && !app.settings.client_id_metadata_documents) return false;
  if (client.settings.tls_client_certificate_bound_access_tokens && !mtls.selfSigned) return false;
  return authMethodsHere(mtls).includes(authMethodOf(client));
}

const CLOCK_TOLERANCE_SECONDS = 15;
const LONGEST_ASSERTION_SECONDS = 300;
/** Of one app at one issuer. */
const MOST_MODELS = 200;
const ASSERTION_TYPES = new Set(['jwt', 'client-authentication+jwt']);

/** The library's configuration of all this. */
export function clientAuthentication(mtls: MutualTls) {
  const certificateOf = (ctx: KoaContextWithOIDC) => stateOf(ctx).clientCertificate;
  return {
    checks: {
      clientAuthMethods: authMethodsHere(mtls) as NonNullable<Configuration['clientAuthMethods']>,
      assertJwtClientAuthClaimsAndHeader: requireFreshAssertion,
    },
    signingAlgorithms: [...assertionAlgorithms] as NonNullable<
      NonNullable<Configuration['enabledJWA']>['clientAuthSigningAlgValues']
    >,
    mTLS: {
      enabled: mtls.selfSigned,
      certificateBoundAccessTokens: mtls.selfSigned,
      selfSignedTlsClientAuth: mtls.selfSigned,
      tlsClientAuth: mtls.verified,
      getCertificate: (ctx: KoaContextWithOIDC) => certificateOf(ctx)?.certificate,
      certificateAuthorized: (ctx: KoaContextWithOIDC) => {
        const found = certificateOf(ctx);
        const now = Date.now();
        return (
          found !== undefined &&
          found.verified &&
          Date.parse(found.certificate.validFrom) <= now &&
          now < Date.parse(found.certificate.validTo)
        );
      },
      certificateSubjectMatches: (ctx: KoaContextWithOIDC, setting: string, expected: string) => {
        const found = certificateOf(ctx);
        return (
          found !== undefined &&
          certificateIsCalled(found.certificate, setting as CertificateNameSetting, expected)
        );
      },
    },
  };
}

/** Names the assertion whose single use this request has yet to decide, for the library's own bookkeeping. */
export const ASSERTION_UNDER_WAY = 'client-assertion';

/**
 * After the library has verified signature, `iss`, `sub`, `exp` and `nbf`: for this issuer alone, for at most five
 * minutes, and once. Which request uses it is decided by one insert, before anything else that the request writes.
 */
function requireFreshAssertion(
  ctx: KoaContextWithOIDC,
  claims: Record<string, unknown>,
  header: Record<string, unknown>,
): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const { aud, exp, iat, iss, jti } = claims as {
    aud: unknown;
    exp: number;
    iat?: number;
    iss: string;
    jti: string;
  };
  // FAPI 2.0 §5.3.2.1: the issuer as a string. In a list, other servers could use the same assertion.
  if (aud !== ctx.oidc.issuer)
    throw new errors.InvalidClientAuth('audience (aud) must be the issuer identifier, as a string');
  if (exp > now + LONGEST_ASSERTION_SECONDS + CLOCK_TOLERANCE_SECONDS)
    throw new errors.InvalidClientAuth('expiration lies more than five minutes ahead');
  if (iat !== undefined && iat > now + CLOCK_TOLERANCE_SECONDS)
    throw new errors.InvalidClientAuth('issued in the future');
  // RFC 8725 §3.11: a JWT made for something else is no assertion, whoever signed it.
  if (header['typ'] !== undefined && !ASSERTION_TYPES.has(String(header['typ']).toLowerCase()))
    throw new errors.InvalidClientAuth('the JWT is of another type');
  // RFC 7515 §4.1.11: what has to be understood and is not. RFC 7797 §7: a JWT is always encoded.
  if (header['crit'] !== undefined) throw new errors.InvalidClientAuth('unknown critical header');
  const unit = unitOfWork();
  unit.memo.set(ASSERTION_UNDER_WAY, digestOf(`${iss}${jti}`));
  const spendIt: Write = async (tx) => {
    const won = await spend(tx, {
      appId: unit.appId,
      kind: 'client_assertion',
      digest: digestOf(`${iss}\n${jti}`),
      ttlSeconds: Math.max(1, exp - now) + CLOCK_TOLERANCE_SECONDS * 2,
    });
    return won ? undefined : { error: 'invalid_client', description: 'client authentication failed' };
  };
  // Also where the request is refused later and gives everything else back.
  unit.add(spendIt, { lasting: true });
  return Promise.resolve();
}

/** Where the library's own rules are wider than ours. */
export function narrowClientRules(
  provider: Provider,
  { appId, remoteKeys }: { appId: string; remoteKeys: RemoteKeys },
): void {
  Object.assign(provider.OIDCContext.prototype, {
    /** The issuer alone: a URL of an endpoint can be made the audience by whoever gets a client to talk to it (RFC 7523bis). */
    clientJwtAuthExpectedAudience(this: { issuer: string }): Set<string> {
      return new Set([this.issuer]);
    },
  });
  type Registered = { redirectUris: string[]; postLogoutRedirectUris: string[]; applicationType: string };
  Object.assign(provider.Client.prototype, {
    redirectUriAllowed(this: Registered, uri: string): boolean {
      return isRegisteredUri(uri, this.redirectUris, this.applicationType === 'native');
    },
    postLogoutRedirectUriAllowed(this: Registered, uri: string): boolean {
      return isRegisteredUri(uri, this.postLogoutRedirectUris ?? [], this.applicationType === 'native');
    },
  });
  const find = provider.Client.find.bind(provider.Client);
  // A provider knows its app at one revision, so what it made of a client stays true as long as it is used.
  const models = new FrequencyCache<NonNullable<Awaited<ReturnType<typeof find>>>>(MOST_MODELS);
  provider.Client.find = async (id) => {
    const known = models.get(id);
    if (known) return known;
    const client = await find(id);
    if (client?.jwksUri !== undefined) {
      // The library's own would keep a withdrawn key as long as it works, and ask as often as it fails.
      const value = remoteKeys(appId, client.jwksUri);
      Object.defineProperty(client, 'asymmetricKeyStore', { value, configurable: true });
    }
    if (client) models.set(id, client);
    return client;
  };
}
