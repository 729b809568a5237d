import { createHash } from 'node:crypto';
import { errors } from 'oidc-provider';
import { keyFault } from '../apps/clients/key-set.ts';
import { freshSeconds } from '../http/freshness.ts';
import type { Outgoing } from '../http/outgoing.ts';
import { FrequencyCache } from '../kernel/frequency-cache.ts';

type Jwk = Record<string, unknown>;
type Wanted = { alg: string; kid?: string };

/** What the library asks of a client's keys. */
export type KeySource = Iterable<Jwk> & {
  /** Keys that could have signed this; none when what is known is too old. */
  selectForVerify(wanted: Wanted): Jwk[];
  getKeyObject(key: Jwk): Jwk;
  /** Whether asking again now would be too soon: the library gives up, instead of asking, when it is. */
  fresh(): boolean;
  refresh(): Promise<void>;
};

/** The keys published at an address, for one app's clients. The same object each time. */
export type RemoteKeys = (appId: string, uri: string) => KeySource;

const MOST_KEYS = 50;
const MOST_BYTES = 65_536;
const SECOND = 1000;
/** An unknown `kid` makes us ask, but not more often than this: whoever invents them must not aim us at a third party. */
const ASK_AGAIN_MS = 60 * SECOND;
const AFTER_FAILURE_MS = 10 * SECOND;
/** A key withdrawn by its owner must not live on for a year because a header said so. */
const LIFE = { least: 60, most: 3600, otherwise: 300 };

/** One memory for the whole process, shared by both issuers of an app; bounded. */
export function createRemoteKeys(outgoing: Outgoing): RemoteKeys {
  const known = new FrequencyCache<KeySource>(5000);
  return (appId, uri) => {
    const name = `${appId}\n${uri}`;
    const found = known.get(name) ?? sourceAt(uri, outgoing);
    known.set(name, found);
    return found;
  };
}

function sourceAt(uri: string, outgoing: Outgoing): KeySource {
  let keys: Jwk[] = [];
  let goodUntil = 0;
  let askAgainAt = 0;
  let asking: Promise<void> | undefined;
  const live = (): Jwk[] => (Date.now() < goodUntil ? keys : []);
  const ask = async (): Promise<void> => {
    askAgainAt = Date.now() + AFTER_FAILURE_MS;
    const fetched = await fetchKeySet(uri, outgoing);
    keys = fetched.keys;
    goodUntil = Date.now() + fetched.lifeSeconds * SECOND;
    askAgainAt = Date.now() + ASK_AGAIN_MS;
  };
  return {
    selectForVerify: (wanted) => live().filter((key) => fits(key, wanted)),
    getKeyObject: (key) => key,
    fresh: () => asking === undefined && Date.now() < askAgainAt,
    async refresh() {
      if (asking === undefined && Date.now() < askAgainAt) return;
      // One question at a time, however many wait for its answer.
      asking ??= ask().finally(() => (asking = undefined));
      try {
        await asking;
      } catch (cause) {
        // What is still good goes on; otherwise the client can not be known.
        if (live().length === 0) throw new errors.InvalidClientAuth(`jwks_uri: ${(cause as Error).message}`);
      }
    },
    [Symbol.iterator]: () => live()[Symbol.iterator](),
  };
}

async function fetchKeySet(uri: string, outgoing: Outgoing): Promise<{ keys: Jwk[]; lifeSeconds: number }> {
  const response = await outgoing(uri, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    maxBytes: MOST_BYTES,
    timeoutMs: 5 * SECOND,
  });
  if (response.status !== 200) throw new Error(`answered ${response.status}`);
  const body = (await response.json()) as { keys?: unknown };
  if (!Array.isArray(body?.keys) || body.keys.length > MOST_KEYS) throw new Error('is not a key set');
  const keys = (body.keys as unknown[])
    .filter((key): key is Jwk => typeof key === 'object' && key !== null && !Array.isArray(key))
    // What we do not understand, or must not have, is left out (RFC 7517 §5).
    .filter((key) => keyFault(key) === undefined)
    .map(withThumbprint);
  return { keys, lifeSeconds: freshSeconds(response.headers, LIFE) };
}

function withThumbprint(key: Jwk): Jwk {
  const [first] = Array.isArray(key['x5c']) ? (key['x5c'] as string[]) : [];
  if (first === undefined) return key;
  const digest = createHash('sha256').update(Buffer.from(first, 'base64')).digest('base64url');
  return { ...key, 'x5t#S256': digest };
}

const FAMILY: Record<string, { kty: string; crv?: string }> = {
  RS256: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
};

function fits(key: Jwk, { alg, kid }: Wanted): boolean {
  const family = FAMILY[alg];
  return (
    family !== undefined &&
    key['kty'] === family.kty &&
    (family.crv === undefined || key['crv'] === family.crv) &&
    (kid === undefined || key['kid'] === kid) &&
    (key['alg'] === undefined || key['alg'] === alg) &&
    (key['use'] === undefined || key['use'] === 'sig')
  );
}
