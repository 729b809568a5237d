import { pipeline } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import {
  type DumpEnd,
  type DumpHead,
  endLine,
  headLine,
  type Progress,
  TABLE_END,
  tableLine,
} from './format.ts';
import { RowDigest, type TableDigest } from './row-digest.ts';
import { type DumpedTable, settle, tablesOf } from './tables.ts';

const TELL_EVERY_MS = 3000;

/**
 * Writes every row of every table as of one moment, beside servers that go on serving. `connection` is the operator's, who
 * sees every app. Does not end `sink`.
 */
export async function writeDump(options: {
  connection: pg.ClientConfig;
  version: string;
  sink: Writable;
  progress: Progress;
}): Promise<DumpEnd> {
  const client = new pg.Client({ ...options.connection, application_name: 'latchkey-backup' });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    await settle(client);
    await put(options.sink, headLine(await headOf(client, options.version)));
    const end: DumpEnd = { tables: {} };
    for (const table of await tablesOf(client)) {
      await put(options.sink, tableLine(table.name, table.columns));
      end.tables[table.name] = await copyOut(client, table, {
        write: (piece) => put(options.sink, piece),
        progress: options.progress,
      });
      await put(options.sink, TABLE_END);
    }
    await put(options.sink, endLine(end));
    await client.query('commit');
    return end;
  } finally {
    await client.end();
  }
}

/** Reads a table as it stands in this transaction. */
export async function copyOut(
  client: pg.ClientBase,
  { name, columns }: DumpedTable,
  { write, progress }: { write: (piece: Buffer) => Promise<void>; progress: Progress },
): Promise<TableDigest> {
  const digest = new RowDigest();
  let toldAt = performance.now();
  // A query and not the table: COPY of a table refuses whoever row-level security binds.
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ');
  const rows = client.query(copyTo(`copy (select ${list} from ${pg.escapeIdentifier(name)}) to stdout`));
  await pipeline(rows, async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) {
      digest.add(piece);
      await write(piece);
      if (performance.now() - toldAt < TELL_EVERY_MS) continue;
      toldAt = performance.now();
      progress({ table: name, rows: digest.rows, done: false });
    }
  });
  progress({ table: name, rows: digest.rows, done: true });
  return digest.result();
}

async function headOf(client: pg.Client, version: string): Promise<DumpHead> {
  const { rows } = await client.query<{ name: string; checksum: string; now: Date }>(
    'select name, checksum, now() from schema_migrations order by name',
  );
  if (rows.length === 0)
    throw new Error('there is nothing to back up: the database has no tables of Latchkey');
  return {
    latchkey: version,
    createdAt: rows[0]!.now.toISOString(),
    migrations: rows.map((row) => [row.name, row.checksum]),
  };
}

/** Waits until the sink has room: a backup never grows in memory. */
function put(sink: Writable, piece: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}
