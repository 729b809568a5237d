import { compactVerify, decodeJwt } from 'jose';
import type { Client, Provider } from 'oidc-provider';
import type { SigningKey } from '../apps/keys/signing-key.ts';
import { algorithmsOf, keySetOf } from './signing-key.ts';

type Deps = {
  issuerUrl: string;
  keys: readonly SigningKey[];
  /** Keys that left the published set. */
  rememberedKeys: readonly SigningKey[];
};

type Hint = { header: object; payload: Record<string, unknown> };

const CLOCK_TOLERANCE_SECONDS = 15;

/**
 * Reads an `id_token_hint` (RP-Initiated Logout 1.0 §2, OIDC Core §3.1.2.1): an ID token that this issuer gave to this
 * client, expired or not, whichever key and algorithm was in use then. The library knows the published keys and the
 * client's present algorithm only, and would take an access token for a hint.
 */
export function readHintsWith(provider: Provider, deps: Deps): void {
  const keys = [...deps.keys, ...deps.rememberedKeys];
  let keySet: ReturnType<typeof keySetOf> | undefined;
  const validate = async (jwt: string, client: Client): Promise<Hint> => {
    keySet ??= keySetOf(keys);
    const { protectedHeader } = await compactVerify(jwt, keySet, { algorithms: algorithmsOf(keys) });
    const payload = decodeJwt(jwt);
    const wanted = { issuer: deps.issuerUrl, audience: client.clientId };
    const fault = protectedHeader.crit ? 'crit' : faultOf(payload, protectedHeader.typ, wanted);
    if (fault) throw new Error(`not an ID token of this client: ${fault}`);
    return { header: protectedHeader, payload };
  };
  Object.assign(provider.IdToken, { validate });
}

function faultOf(
  claims: ReturnType<typeof decodeJwt>,
  typ: string | undefined,
  wanted: { issuer: string; audience: string },
): string | undefined {
  const soon = Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS;
  // Access tokens and logout tokens have a type of their own (RFC 9068 §2.1).
  if (typ !== undefined && typ.toUpperCase() !== 'JWT') return 'typ';
  if (claims.iss !== wanted.issuer) return 'iss';
  if (claims.aud !== wanted.audience) return 'aud';
  if (typeof claims.sub !== 'string') return 'sub';
  if (typeof claims.exp !== 'number') return 'exp';
  if (typeof claims.iat !== 'number' || claims.iat > soon) return 'iat';
  if (claims.nbf !== undefined && !(claims.nbf <= soon)) return 'nbf';
  return undefined;
}
