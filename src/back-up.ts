import { createGunzip, createGzip } from 'node:zlib';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Config } from './config/config.ts';
import { locateDatabase, type Where } from './open-stores.ts';
import { sealedColumns } from './sealed-columns.ts';
import type { Queryable } from './storage/database.ts';
import type { DumpEnd, Progress } from './storage/dump/format.ts';
import { readDump } from './storage/dump/read.ts';
import { DumpReader } from './storage/dump/sections.ts';
import { writeDump } from './storage/dump/write.ts';
import { refuseWhileServed } from './storage/dump/served.ts';
import { migrate } from './storage/migrate.ts';
import { unreadableEnvelopes } from './storage/reseal.ts';
import type { Logger } from './telemetry/log.ts';

export type Copying = {
  config: Config;
  log: Logger;
  version: string;
  migrationsDir: string;
  progress: Progress;
};

/** Writes all rows, compressed, to `sink` and ends it. Servers may go on serving. */
export async function backUp({ config, log, version, progress }: Copying, sink: Writable): Promise<DumpEnd> {
  const where = await locateDatabase({ config, log, attach: true });
  try {
    const text = new PassThrough();
    const written = pipeline(text, createGzip({ level: 6 }), sink);
    // A sink that breaks (a full disk) ends the reading, and is what is told.
    written.catch((error: unknown) => text.destroy(error instanceof Error ? error : undefined));
    const end = await writeDump({ connection: where.operatorConnection, version, sink: text, progress });
    text.end();
    await written;
    return end;
  } finally {
    await where.stop();
  }
}

/** Puts what `backUp` wrote into an empty database, and brings its schema up to date. All or nothing. */
export async function restore(
  copying: Copying & { acceptUnreadable: boolean },
  source: Readable,
): Promise<DumpEnd> {
  await refuseFullRedis(copying.config, copying.log);
  const where = await locateDatabase(copying);
  try {
    return await putInto(where, copying, unzipped(source));
  } finally {
    await where.stop();
  }
}

async function* unzipped(source: Readable): AsyncGenerator<Buffer> {
  const text = createGunzip();
  source.once('error', (error) => text.destroy(error));
  try {
    yield* source.pipe(text) as AsyncIterable<Buffer>;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') throw new Error('the backup is cut off', { cause: error });
    if (code?.startsWith('Z_'))
      throw new Error('this is no backup of Latchkey, or it is damaged', { cause: error });
    throw error;
  } finally {
    source.destroy();
    text.destroy();
  }
}

/** Copies everything from one database to the other, empty one; neither may be served meanwhile. */
export async function move(
  copying: Copying & { acceptUnreadable: boolean },
  to: 'embedded' | 'external',
): Promise<DumpEnd> {
  const { config, log, version } = copying;
  const embedded = await locateDatabase({ config: { ...config, database: { kind: 'embedded' } }, log });
  try {
    const external = await locateDatabase(copying);
    const [from, into] = to === 'embedded' ? [external, embedded] : [embedded, external];
    await refuseWhileServed(external.operatorConnection);
    if (to === 'external') await refuseFullRedis(config, log);
    const text = new PassThrough();
    // What goes wrong while reading is thrown by whoever writes, and the other way round.
    const read = writeDump({
      connection: from.operatorConnection,
      version,
      sink: text,
      progress: () => {},
    }).then(
      () => text.end(),
      (error: unknown) => text.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    try {
      return await putInto(into, copying, text);
    } finally {
      text.destroy();
      await read;
    }
  } finally {
    await embedded.stop();
  }
}

async function putInto(
  where: Where,
  { config, log, migrationsDir, progress, acceptUnreadable }: Copying & { acceptUnreadable: boolean },
  text: AsyncIterable<Buffer>,
): Promise<DumpEnd> {
  const reader = new DumpReader(text);
  const head = await reader.head();
  const schema = {
    ...where,
    migrationsDir,
    log: (message: string, fields: object) => log.info(fields, message),
  };
  await migrate({ ...schema, upTo: new Map(head.migrations) });
  const inspect = async (q: Queryable): Promise<void> => {
    const lost = await unreadableEnvelopes(q, config.encryptionKeys.reveal(), sealedColumns);
    if (lost.length === 0 || acceptUnreadable) return;
    const list = lost
      .map(({ table, column, unreadable }) => `${unreadable} of ${table}.${column}`)
      .join(', ');
    throw new Error(
      `no key of ENCRYPTION_KEYS opens ${list}. Nothing was changed. Set ENCRYPTION_KEYS to the keys of the time of the copy (in development: the file encryption_keys of its DATA_DIR), or accept the loss with --accept-unreadable`,
    );
  };
  const end = await readDump({ connection: where.connection, reader, progress, inspect });
  await migrate(schema);
  return end;
}

async function refuseFullRedis(config: Config, log: Logger): Promise<void> {
  if (!config.redis) return;
  const [{ connectRedis }, { holdsKeys }] = await Promise.all([
    import('./storage/redis.ts'),
    import('./storage/ephemeral-redis.ts'),
  ]);
  const redis = await connectRedis(config.redis, (message, fields) => log.warn(fields, message));
  try {
    if (await holdsKeys(redis))
      throw new Error(
        'the Redis of REDIS_URL holds what was cached of another database. Empty it (FLUSHDB), then try again',
      );
  } finally {
    await redis.close();
  }
}
