import { type JWTPayload, jwtVerify } from 'jose';
import { FrequencyCache } from '../../kernel/frequency-cache.ts';
import { digestOf } from '../../kernel/secret.ts';
import { algorithmsOf, keySetOf } from '../signing-key.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { type AdapterDeps, epochSeconds } from './adapter-deps.ts';

export const CLOCK_TOLERANCE_SECONDS = 15;

/** Signatures cost more than all else at introspection and userinfo, and APIs ask about the same token again and again. */
const CAPACITY = 4000;

/** By key set, issuer and digest of the token: what it says, as text, so that no two requests share an object. */
const verified = new FrequencyCache<string>(CAPACITY);

/**
 * What an access token of this issuer says: signature, `typ`, issuer and expiry are good. Nothing that can change is
 * remembered: expiry is looked at each time, and a key that is withdrawn takes all that it signed with it.
 */
export function verifiedToken(deps: AdapterDeps, jwt: string): Promise<JWTPayload | undefined> {
  const { memo } = unitOfWork();
  const name = `verified:${jwt}`;
  // Introspection asks every model.
  const seen = memo.get(name) as Promise<JWTPayload | undefined> | undefined;
  const payload = seen ?? verify(deps, jwt);
  memo.set(name, payload);
  return payload;
}

async function verify(deps: AdapterDeps, jwt: string): Promise<JWTPayload | undefined> {
  if (jwt.split('.').length !== 3) return undefined;
  const { keys, set } = knownKeys(deps);
  const name = `${keys} ${deps.issuerUrl} ${digestOf(jwt)}`;
  const known = verified.get(name);
  if (known !== undefined) {
    const payload = JSON.parse(known) as JWTPayload;
    if (payload.exp! > epochSeconds() - CLOCK_TOLERANCE_SECONDS) return payload;
    verified.delete(name);
    return undefined;
  }
  try {
    const { payload } = await jwtVerify(jwt, set, {
      issuer: deps.issuerUrl,
      typ: 'at+jwt',
      algorithms: algorithmsOf(deps.keys),
      requiredClaims: ['exp', 'iat', 'jti', 'sub', 'aud', 'client_id'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    verified.set(name, JSON.stringify(payload));
    return payload;
  } catch {
    return undefined;
  }
}

type KnownKeys = { keys: number; set: ReturnType<typeof keySetOf> };

const keySets = new WeakMap<readonly object[], KnownKeys>();
let count = 0;

/** A list of keys is never changed: other keys are another list, with another number. */
function knownKeys({ keys }: AdapterDeps): KnownKeys {
  let known = keySets.get(keys);
  if (!known) keySets.set(keys, (known = { keys: (count += 1), set: keySetOf(keys) }));
  return known;
}
