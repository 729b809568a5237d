import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Queryable } from '../database.ts';
import type { DumpEnd, Progress } from './format.ts';
import { RowDigest, type TableDigest } from './row-digest.ts';
import type { DumpReader, Section } from './sections.ts';
import { type DumpedTable, settle, tablesOf } from './tables.ts';
import { copyOut } from './write.ts';

export type ReadOptions = {
  /** The owner's connection. */
  connection: pg.ClientConfig;
  reader: DumpReader;
  progress: Progress;
  /** Looks at what was put in before it is committed; a throw undoes everything. */
  inspect(q: Queryable): Promise<void>;
};

/**
 * Puts the rows of a dump into the empty tables of a database of the same schema, in one transaction. Before that is committed
 * every table is read again and compared with what the dump says of it. Throws, and changes nothing, when anything differs.
 */
export async function readDump({ connection, reader, progress, inspect }: ReadOptions): Promise<DumpEnd> {
  const client = new pg.Client({ ...connection, application_name: 'latchkey-restore' });
  await client.connect();
  try {
    await client.query("begin; set local lock_timeout = '5s'");
    await settle(client);
    const tables = await tablesOf(client);
    // The owner is bound by row-level security as well; until the commit nobody else gets at these tables.
    await forceRowSecurity(client, tables, false);
    await refuseUnlessEmpty(client, tables);
    const loaded = await load(client, { reader, tables, progress });
    await compare(client, { tables, loaded, said: reader.end() });
    await inspect({ query: async (statement) => (await client.query(statement)).rows });
    await forceRowSecurity(client, tables, true);
    await client.query('commit');
    await client.query('analyze');
    return reader.end();
  } finally {
    await client.end();
  }
}

async function forceRowSecurity(client: pg.Client, tables: DumpedTable[], force: boolean): Promise<void> {
  for (const { name, hasRowSecurity } of tables)
    if (hasRowSecurity)
      await client.query(
        `alter table ${pg.escapeIdentifier(name)} ${force ? '' : 'no '}force row level security`,
      );
}

async function refuseUnlessEmpty(client: pg.Client, tables: DumpedTable[]): Promise<void> {
  for (const { name } of tables) {
    await client.query(`lock table ${pg.escapeIdentifier(name)} in access exclusive mode`);
    const { rows } = await client.query(`select from ${pg.escapeIdentifier(name)} limit 1`);
    if (rows.length > 0)
      throw new Error(
        `the database is not empty: ${name} has rows. Nothing was changed; a backup is restored into a new database only`,
      );
  }
}

async function load(
  client: pg.Client,
  { reader, tables, progress }: { reader: DumpReader; tables: DumpedTable[]; progress: Progress },
): Promise<Map<string, TableDigest>> {
  const loaded = new Map<string, TableDigest>();
  for await (const section of reader.sections()) {
    const table = tables.find(({ name }) => name === section.name);
    if (!table || table.columns.join() !== section.columns.join())
      throw new Error(
        `the backup holds a table ${section.name} that this schema does not have in that shape`,
      );
    loaded.set(section.name, await copyIn(client, section));
    progress({ table: section.name, rows: loaded.get(section.name)!.rows, done: true });
  }
  return loaded;
}

async function copyIn(client: pg.Client, { name, columns, rows }: Section): Promise<TableDigest> {
  const digest = new RowDigest();
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ');
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const piece of rows) {
      digest.add(piece);
      yield piece;
    }
  }
  await pipeline(
    Readable.from(counted(), { objectMode: false }),
    client.query(copyFrom(`copy ${pg.escapeIdentifier(name)} (${list}) from stdin`)),
  );
  return digest.result();
}

type Compared = { tables: DumpedTable[]; loaded: Map<string, TableDigest>; said: DumpEnd };

async function compare(client: pg.Client, { tables, loaded, said }: Compared): Promise<void> {
  for (const table of tables) {
    const expected = said.tables[table.name];
    const came = loaded.get(table.name);
    if (!expected || !came || !areEqual(expected, came))
      throw new Error(`the backup is damaged: ${table.name} does not hold what its last line says`);
    const kept = await copyOut(client, table, { write: async () => {}, progress: () => {} });
    if (!areEqual(expected, kept))
      throw new Error(`${table.name} does not read as it was written; nothing was changed`);
  }
}

const areEqual = (a: TableDigest, b: TableDigest): boolean => a.rows === b.rows && a.digest === b.digest;
