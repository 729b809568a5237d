import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, type JWK } from 'jose';
import { type Configuration, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import type { AppSnapshot, Client } from '../../apps/app.ts';
import { stateOf } from '../../http/request-state.ts';
import { deriveKey, digestOf, type RootKeys } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import type { Feature } from './feature.ts';

/** Of proofs. No RS256: new keys have no need of it. */
export const proofAlgorithms = ['ES256', 'PS256', 'EdDSA', 'Ed25519'] as NonNullable<
  NonNullable<Configuration['enabledJWA']>['dPoPSigningAlgValues']
>;

/** The library takes proofs from as far ahead as it takes them late, but remembers them for one half of that. */
const AHEAD_SECONDS = 300;
/** FAPI 2.0 §5.3.2.1: up to ten seconds ahead is another clock, more than sixty is nonsense. */
const FAPI_AHEAD_SECONDS = 60;

export function offersDpop({ app, clients }: AppSnapshot): boolean {
  return (
    app.settings.features.dpop ||
    app.settings.dpop_require_nonce ||
    [...clients.values()].some((client) => client.settings.dpop_bound_access_tokens)
  );
}

/** Proof of possession (RFC 9449). A client that has to prove can, whatever the app says about the others. */
export function dpop(snapshot: AppSnapshot, rootKeys: RootKeys): Feature<'dPoP'> {
  const { appId, settings } = snapshot.app;
  return {
    dPoP: {
      enabled: offersDpop(snapshot),
      // Derived, so that a nonce of one process, or of the app's other issuer, is one of all.
      nonceSecret: deriveKey(rootKeys[0], `dpop-nonce:${appId}`),
      requireNonce(ctx) {
        // Asked once for every proof, before it is believed: the place for a rule of ours.
        if (ctx.oidc.isFapi('2.0')) requireNotAhead(ctx);
        return settings.dpop_require_nonce;
      },
    },
  };
}

export const dpopMetadata = (client: Client): object =>
  client.settings.dpop_bound_access_tokens ? { dpop_bound_access_tokens: true } : {};

function requireNotAhead(ctx: KoaContextWithOIDC): void {
  let issuedAt: unknown;
  try {
    issuedAt = decodeJwt(ctx.get('dpop')).iat;
  } catch {
    return; // the library says what is wrong with it
  }
  if (typeof issuedAt === 'number' && issuedAt > Date.now() / 1000 + FAPI_AHEAD_SECONDS)
    throw new errors.InvalidDpopProof('DPoP proof iat lies in the future');
}

type Replays = {
  ReplayDetection: { unique(issuer: string, jti: string, expires: number): Promise<boolean> };
};

/**
 * The library looks for a used `jti` and saves it afterwards, so that two at once would both pass. Here one step of
 * the store all instances have in common decides. `isOther` tells what is decided elsewhere (client assertions).
 */
export function acceptProofsOnce(
  provider: Provider,
  deps: { ephemeral: EphemeralStore; appId: string },
  isOther: (id: string) => boolean,
): void {
  const { ReplayDetection } = provider as unknown as Replays;
  const stock = ReplayDetection.unique.bind(ReplayDetection);
  ReplayDetection.unique = (issuer, jti, expires) => {
    if (isOther(digestOf(`${issuer}${jti}`))) return stock(issuer, jti, expires);
    const ttlSeconds = Math.max(1, expires - Math.floor(Date.now() / 1000)) + AHEAD_SECONDS;
    return deps.ephemeral.put(deps.appId, `dpop:${digestOf(JSON.stringify([issuer, jti]))}`, '1', {
      ttlSeconds,
      ifAbsent: true,
    });
  };
}

/**
 * What a token request proves to hold beside its client's credentials, once the library has verified it: the thumbprint
 * of its key (RFC 9449) or of the certificate that its tokens are bound to (RFC 8705). undefined: nothing.
 */
export async function provedKey(
  ctx: KoaContextWithOIDC | undefined,
  snapshot: AppSnapshot,
): Promise<string | undefined> {
  if (ctx?.oidc?.route !== 'token') return undefined;
  const proof = offersDpop(snapshot) ? ctx.get('dpop') : '';
  if (proof) return calculateJwkThumbprint(decodeProtectedHeader(proof).jwk as JWK);
  return ctx.oidc.client?.tlsClientCertificateBoundAccessTokens
    ? stateOf(ctx).clientCertificate?.certificate.fingerprint256
    : undefined;
}
