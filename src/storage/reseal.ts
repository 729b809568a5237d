import { fingerprintOf, type RootKeys, seal, unseal } from '../kernel/secret.ts';
import type { Database, Queryable } from './database.ts';

/** `row` is what the envelope is bound to besides app, table and column. */
export type SealedRow = { app_id: string; row: string; envelope: string };

/** A column that holds envelopes. Whoever adds one registers it in src/sealed-columns.ts. */
export type SealedColumn = {
  table: string;
  column: string;
  /** Up to `most` envelopes that are not under this key, ordered by app and row, behind the given one. */
  stale(
    q: Queryable,
    at: { fingerprint: string; after: SealedRow | undefined; most: number },
  ): Promise<SealedRow[]>;
  /** Only if the row still holds the envelope that was read. */
  replace(q: Queryable, row: SealedRow, envelope: string): Promise<void>;
  /** How many envelopes are not under this key. */
  countStale(q: Queryable, fingerprint: string): Promise<number>;
};

export type Resealed = {
  table: string;
  column: string;
  resealed: number;
  /** Envelopes that no key of ENCRYPTION_KEYS opens. */
  unreadable: number;
  /** Envelopes that are still not under the newest key, unreadable ones among them. */
  remaining: number;
};

const PAGE = 200;

/**
 * Seals everything anew that is not under the newest root key. May be interrupted, repeated, and run by any number of
 * processes while others serve: each envelope is replaced by itself, and only while it is the one that was read.
 */
export async function reseal(
  operatorDb: Database,
  rootKeys: RootKeys,
  columns: readonly SealedColumn[],
): Promise<Resealed[]> {
  const q: Queryable = { query: (statement) => operatorDb.query(undefined, statement) };
  const fingerprint = fingerprintOf(rootKeys[0]);
  const results: Resealed[] = [];
  for (const column of columns) {
    const done = { resealed: 0, unreadable: 0 };
    for (let after: SealedRow | undefined; ; ) {
      const rows = await column.stale(q, { fingerprint, after, most: PAGE });
      for (const row of rows) done[await resealOne(q, rootKeys, column, row)] += 1;
      after = rows.at(-1);
      if (rows.length < PAGE) break;
    }
    const { table, column: name } = column;
    results.push({ table, column: name, ...done, remaining: await column.countStale(q, fingerprint) });
  }
  return results;
}

async function resealOne(
  q: Queryable,
  rootKeys: RootKeys,
  { table, column, replace }: SealedColumn,
  row: SealedRow,
): Promise<'resealed' | 'unreadable'> {
  const at = { appId: row.app_id, table, row: row.row, column };
  let plaintext: string;
  try {
    plaintext = unseal(rootKeys, at, row.envelope);
  } catch {
    return 'unreadable';
  }
  await replace(q, row, seal(rootKeys, at, plaintext));
  return 'resealed';
}

/** Opens every envelope and tells how many of a column no key opens; columns without such are left out. */
export async function unreadableEnvelopes(
  q: Queryable,
  rootKeys: RootKeys,
  columns: readonly SealedColumn[],
): Promise<{ table: string; column: string; unreadable: number }[]> {
  const found = [];
  for (const { table, column, stale } of columns) {
    let unreadable = 0;
    for (let after: SealedRow | undefined; ; ) {
      const rows = await stale(q, { fingerprint: NO_KEY, after, most: PAGE });
      unreadable += rows.filter((row) => !opens(rootKeys, { table, column }, row)).length;
      after = rows.at(-1);
      if (rows.length < PAGE) break;
    }
    if (unreadable > 0) found.push({ table, column, unreadable });
  }
  return found;
}

/** A fingerprint that no key has: every envelope is under another. */
const NO_KEY = '';

function opens(
  rootKeys: RootKeys,
  { table, column }: { table: string; column: string },
  row: SealedRow,
): boolean {
  try {
    unseal(rootKeys, { appId: row.app_id, table, row: row.row, column }, row.envelope);
    return true;
  } catch {
    return false;
  }
}
