import type { Queryable } from '../../storage/database.ts';
import { keyNotFound } from './errors.ts';
import type { GeneratedKey } from './generate.ts';
import type { KeyShelf, KeyStateRow } from './shelf.ts';
import type { SigningAlgorithm } from './signer.ts';
import { PUBLISHED_AFTER_SIGNING } from './signing-key.ts';

export type Wish = {
  /** A key to take out at once. */
  compromised?: string | undefined;
  algorithm: SigningAlgorithm;
  /** Only as long as this key is the newest one: what a chore saw may have changed since. */
  ifNewest?: string | undefined;
};

export type Turned = { key: KeyStateRow; changed: boolean };

type Plan = {
  withdraw: KeyStateRow | undefined;
  /** A next key that never signed and is not wanted any more. */
  remove: KeyStateRow | undefined;
  /** The key to sign next: one that is there, or a new one. */
  follow: KeyStateRow | 'new';
  /** Whether it signs now: verifiers may not know it yet, but there is no other. */
  atOnce: boolean;
};

const liveOf = (rows: readonly KeyStateRow[]) => rows.filter((row) => !row.retired);
const signingOf = (rows: readonly KeyStateRow[]) => liveOf(rows).find((row) => row.active);
const nextOf = (rows: readonly KeyStateRow[]) => liveOf(rows).find((row) => !row.active);

/** Problem `keys.not_found` when the compromised key is none of these. */
export function planFor(rows: readonly KeyStateRow[], wish: Wish): Plan {
  const named = rows.find((row) => row.key_id === wish.compromised);
  if (wish.compromised !== undefined && !named) throw keyNotFound();
  const withdraw = named?.compromised_at ? undefined : named;
  const [signing, next] = [signingOf(rows), nextOf(rows)].map((row) => (row === withdraw ? undefined : row));
  const stays = { withdraw, remove: undefined, atOnce: false };
  const isOutOfDate = wish.ifNewest !== undefined && (next ?? signing)?.key_id !== wish.ifNewest;
  const onlyReported = named !== undefined && named !== signingOf(rows) && named !== nextOf(rows);
  if (signing && (isOutOfDate || onlyReported)) return { ...stays, follow: next ?? signing };
  if (next && next.algorithm === wish.algorithm) return { ...stays, follow: next, atOnce: !signing };
  return { withdraw, remove: next, follow: 'new', atOnce: !signing };
}

/**
 * Turns to another key, inside a transaction that holds the owner's lock. Asking again while a next key of the wanted
 * algorithm is published changes nothing, and so does reporting a key twice. Problem `keys.not_found`.
 */
export async function turn(
  tx: Queryable,
  shelf: KeyShelf,
  wish: Wish,
  making: { newKey: () => Promise<GeneratedKey>; leadSeconds: number },
): Promise<Turned> {
  const rows = await shelf.list(tx);
  const { withdraw, remove, follow, atOnce } = planFor(rows, wish);
  const signing = signingOf(rows);
  if (withdraw) await shelf.withdraw(tx, withdraw.key_id);
  if (remove) await shelf.remove(tx, remove.key_id);
  let kid: string;
  if (follow === 'new') {
    const fresh = await making.newKey();
    kid = fresh.keyId;
    await shelf.insert(tx, fresh, atOnce ? 0 : making.leadSeconds);
    if (signing && signing !== withdraw)
      await shelf.supersede(tx, signing.key_id, kid, PUBLISHED_AFTER_SIGNING);
  } else {
    kid = follow.key_id;
    if (atOnce) await shelf.activate(tx, kid);
  }
  const changed = withdraw !== undefined || follow === 'new' || atOnce;
  return { key: (await shelf.list(tx)).find((row) => row.key_id === kid)!, changed };
}
