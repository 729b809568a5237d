import { digestOf } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import { MAIL_WINDOW_SECONDS, type Proof, type ProofKind } from './proof.ts';

type Store = EphemeralStore;
type At = { appId: string; digest: string; kind: ProofKind };

const linkKey = (kind: ProofKind, digest: string) => `mailed:${kind}:${digest}`;
const newestKey = (kind: ProofKind, email: string, asker: string) =>
  `mailed-newest:${kind}:${asker}:${digestOf(email)}`;
// By digest: the uid is also the value of the browser's interaction cookie.
const hereKey = (kind: ProofKind, uidDigest: string) => `mailed-here:${kind}:${uidDigest}`;
const askedKey = (kind: ProofKind, uidDigest: string) => `mailed-asked:${kind}:${uidDigest}`;
const codeKey = (kind: ProofKind, digest: string) => `mailed-code:${kind}:${digest}`;
const triesKey = (kind: ProofKind, digest: string) => `mailed-tries:${kind}:${digest}`;

/** Where writes go that must cost the same and have no effect. */
const NOWHERE = 'mailed-nowhere';

/**
 * Keeps a link. A newer one takes the place of the older by moving the pointer to the newest, except that a
 * stranger's request leaves a known device's link alone (design §6). `isKept` false: the same writes, no effect.
 */
export async function keepProof(
  store: Store,
  appId: string,
  proof: Proof,
  options: { ttlSeconds: number; isKept: boolean },
): Promise<void> {
  const { kind, digest, email, uidDigest, asker } = proof;
  const { ttlSeconds, isKept } = options;
  const real = (key: string) => (isKept ? key : `${NOWHERE}:${digestOf(key)}`);
  await store.put(appId, real(linkKey(kind, digest)), JSON.stringify(proof), { ttlSeconds });
  await Promise.all([
    store.put(appId, real(newestKey(kind, email, asker)), digest, { ttlSeconds }),
    store.delete(
      appId,
      asker === 'known' ? real(newestKey(kind, email, 'stranger')) : `${NOWHERE}:${digest}`,
    ),
    store.put(appId, real(hereKey(kind, uidDigest)), digest, { ttlSeconds }),
    store.put(appId, askedKey(kind, uidDigest), email, { ttlSeconds }),
  ]);
}

/** The live link of a digest. Sign-ups do not replace each other: nobody may stop another's by beginning one. */
export async function findProof(
  store: Store,
  { appId, digest, kind }: At,
): Promise<{ proof: Proof; remainingSeconds: number } | undefined> {
  const stored = await store.get(appId, linkKey(kind, digest));
  if (!stored) return undefined;
  const proof = JSON.parse(stored.value) as Proof;
  if (kind !== 'sign_up') {
    const newest = await store.read(appId, newestKey(kind, proof.email, proof.asker));
    if (newest !== digest) return undefined;
  }
  return { proof, remainingSeconds: stored.remainingSeconds };
}

/** The digest of the link that was last mailed for this interaction. */
export async function digestHere(
  store: Store,
  at: { appId: string; uid: string; kind: ProofKind },
): Promise<string | undefined> {
  return store.read(at.appId, hereKey(at.kind, digestOf(at.uid)));
}

/** The address that was last typed in this interaction, whether or not a mail went out. */
export async function askedAddress(
  store: Store,
  at: { appId: string; uid: string; kind: ProofKind },
): Promise<string | undefined> {
  return store.read(at.appId, askedKey(at.kind, digestOf(at.uid)));
}

/** Kills a link and its code. */
export async function killProof(store: Store, { appId, digest, kind }: At): Promise<void> {
  await Promise.all([store.delete(appId, linkKey(kind, digest)), store.delete(appId, codeKey(kind, digest))]);
}

/** Kills whatever links of this kind are on their way to the address. */
async function killProofsOf(store: Store, appId: string, kind: ProofKind, email: string): Promise<void> {
  await Promise.all(
    (['known', 'stranger'] as const).map((asker) => store.delete(appId, newestKey(kind, email, asker))),
  );
}

/** Kills whatever on its way to the address could sign in or set a password: after a change of password or address. */
export async function killWaysIn(store: Store, appId: string, email: string): Promise<void> {
  const kinds = ['magic_link', 'email_code', 'reset'] as const;
  await Promise.all(kinds.map((kind) => killProofsOf(store, appId, kind, email)));
}

/** Remembers the code's MAC unless one is there, and returns what is there: a MAC or `refused`. */
export async function keepCode(
  store: Store,
  { appId, digest, kind }: At,
  mac: string,
  ttlSeconds: number,
): Promise<string> {
  const key = codeKey(kind, digest);
  if (await store.put(appId, key, mac, { ttlSeconds, ifAbsent: true })) return mac;
  return (await store.read(appId, key)) ?? REFUSED;
}

/** From now on no code of this link is right, and none is drawn again. */
export async function refuseCode(
  store: Store,
  { appId, digest, kind }: At,
  ttlSeconds: number,
): Promise<void> {
  await store.put(appId, codeKey(kind, digest), REFUSED, { ttlSeconds });
}

export const REFUSED = 'refused';

export async function codeMac(store: Store, { appId, digest, kind }: At): Promise<string | undefined> {
  return store.read(appId, codeKey(kind, digest));
}

/** Counts one more try before it is compared and returns how many there were. */
export async function countTry(
  store: Store,
  { appId, digest, kind }: At,
  ttlSeconds: number,
): Promise<number> {
  return store.increment(appId, triesKey(kind, digest), ttlSeconds);
}

/** Counts one more mail to the address and returns how many there were within the window. */
export async function countMail(store: Store, appId: string, email: string): Promise<number> {
  return store.increment(appId, `mailed-count:${digestOf(email)}`, MAIL_WINDOW_SECONDS);
}
