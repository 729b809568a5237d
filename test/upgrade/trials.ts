import { planMigrations } from '../../src/storage/migrate.ts';
import { readMigrations } from '../../src/storage/migrations/file.ts';
import { concurrentIndexOf } from '../../src/storage/migrations/statements.ts';
import { IMPATIENT, migrateAt } from '../support/migrations.ts';
import type { Connection } from '../support/servers.ts';

const killed = new Error('killed');

/**
 * Migrates with one process after the other, each killed one statement further than the one before, until nothing is left
 * to do. Throws what a process says that can not go on where another was killed. Returns how many there were.
 */
export async function migrateInPieces(at: Connection, migrationsDir: string): Promise<number> {
  let processes = 0;
  for (let survives = 1; ; survives += 1) {
    processes += 1;
    let statements = 0;
    let commits = 0;
    // None of them says goodbye: the error takes the place of the end of the process, and the connection goes with it.
    const before = async (statement: string): Promise<void> => {
      if (commits > 0 || statements === survives) throw killed;
      statements += 1;
      if (statement === 'commit') commits += 1;
    };
    const isDone = await migrateAt(at, { migrationsDir, before, patience: IMPATIENT }).then(
      () => true,
      (error: Error) => {
        if (error.cause !== killed) throw error;
        return false;
      },
    );
    if (isDone) return processes;
    if (commits > 0) survives = 0; // the next migration, from its first statement on
  }
}

export type Hold = { migration: string; ms: number };

/**
 * How long each migration held its locks at most: a transaction as a whole, or one statement where there is none. Indexes
 * that are built while others read and write hold up nobody.
 */
export async function migrateAndMeasure(at: Connection, migrationsDir: string): Promise<Hold[]> {
  const files = await readMigrations(migrationsDir);
  const known = new Set(await namesApplied(at, migrationsDir));
  const missing = files.filter(({ name }) => !known.has(name));
  const holds: Hold[] = [];
  let begun: number | undefined;
  const end = (): void => {
    if (begun !== undefined) holds.push({ migration: missing[0]!.name, ms: performance.now() - begun });
    begun = undefined;
  };
  await migrateAt(at, {
    migrationsDir,
    async before(statement) {
      if (!missing[0]!.inTransaction || concurrentIndexOf(statement) !== undefined) end();
      if (concurrentIndexOf(statement) === undefined) begun ??= performance.now();
    },
    log(message) {
      if (message !== 'migration applied') return;
      end();
      missing.shift();
    },
  });
  return holds;
}

async function namesApplied(at: Connection, migrationsDir: string): Promise<string[]> {
  const { pending } = await planMigrations({ connection: { ...at, user: 'postgres' }, migrationsDir });
  const names = new Set(pending.map(({ name }) => name));
  return (await readMigrations(migrationsDir)).map(({ name }) => name).filter((name) => !names.has(name));
}
