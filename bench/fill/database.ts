import pg from 'pg';
import type { Stores } from '../targets.ts';

/**
 * One of this run's own databases, as its owner: rows in numbers that the API would take hours for. Foreign keys are not
 * checked meanwhile (every row here is a copy of one that the server made); statistics are as autovacuum would leave them.
 */
export async function fillDatabase<T>(
  { postgres }: Stores,
  database: string,
  fill: (db: pg.Client) => Promise<T>,
): Promise<T> {
  const db = new pg.Client({ host: postgres.socketDir, user: 'postgres', database });
  await db.connect();
  try {
    await db.query('set session_replication_role = replica');
    const filled = await fill(db);
    await db.query('vacuum analyze');
    await db.query('checkpoint');
    return filled;
  } finally {
    await db.end();
  }
}

/** Steps of at most so many rows: [from, to], both included. */
export function* steps(from: number, to: number, most = 50_000): Generator<[number, number]> {
  for (let at = from; at <= to; at += most) yield [at, Math.min(to, at + most - 1)];
}
