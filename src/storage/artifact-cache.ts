import type { Database } from './database.ts';
import type { RedisConnection } from './redis.ts';
import { redisKey } from './ephemeral-redis.ts';
import { sql } from './sql.ts';

/** Of a user there are only tombstones: all that is known of their tokens has to be asked for again. */
export type ArtifactKind = 'session' | 'session_uid' | 'grant' | 'access_token' | 'user';
export type Grave = { kind: ArtifactKind; id: string };

/**
 * Answers reads of what Postgres remembers. Never the truth: a miss means "ask Postgres". A revocation leaves a
 * tombstone that outlives any fill, so a fill that was read before the revocation can not undo it.
 */
export type ArtifactCache = {
  /** Whether there is anything that could be stale. */
  isInUse: boolean;
  /** 'gone': known to be revoked. undefined: not known here. */
  read(appId: string, kind: ArtifactKind, id: string): Promise<'gone' | string | undefined>;
  /** Stores `value`, the JSON of an object with members, unless a tombstone or a newer version is there. `ttlSeconds` caps at five minutes. */
  fill(
    appId: string,
    artifact: Grave & { version: number; value: string; ttlSeconds: number },
  ): Promise<void>;
  /** Tombstones. When this resolves no process answers from a fill made before. */
  bury(appId: string, graves: Grave[]): Promise<void>;
  close(): void;
};

/** Without Redis there is nothing between the reader and Postgres. */
export const noArtifactCache: ArtifactCache = {
  isInUse: false,
  read: () => Promise.resolve(undefined),
  fill: () => Promise.resolve(),
  bury: () => Promise.resolve(),
  close: () => {},
};

const FILL_SECONDS = 300;
/** A fill lives five minutes at most, so a tombstone of ten outlives every fill that was on its way. */
const GRAVE_SECONDS = 600;
const DISTRUST_POLL_MS = 500;
const TRUST_MS = 1000;

/** KEYS[1]; ARGV: version, history, fill, milliseconds. `T` is a tombstone; within a history versions only grow. */
const FILL = `
local known = redis.call('get', KEYS[1])
if known then
  if known == 'T' then return 0 end
  local version = string.match(known, '^(%d+):')
  local history = string.match(known, '^%d+:{"@":"([^"]*)"')
  if (history == nil or history == ARGV[2]) and tonumber(version) >= tonumber(ARGV[1]) then return 0 end
end
redis.call('set', KEYS[1], ARGV[1] .. ':' .. ARGV[3], 'PX', ARGV[4])
return 1`;

/**
 * The history is a member of the object, because programs of 0.1.0 read what comes after the version as one and pass over
 * members that they do not know.
 */
const filled = (history: string, value: string): string => `{"@":"${history}",${value.slice(1)}`;
const FILLED = /^\d+:\{"@":"([^"]*)",(.*)$/s;

/**
 * The cache in Redis. A tombstone that can not be written goes to `pending_graves`, and until it is delivered
 * every process treats the cache as empty: each asks twice a second, and the revocation is acknowledged only after
 * each has had the time to ask.
 *
 * A fill names the history of Redis that it belongs to (redis.ts), and is read in no other: a server that took over, or began
 * again from a file, may hold the fill and have lost the tombstone that came after it.
 */
export function artifactCacheOnRedis(
  redis: RedisConnection,
  db: PendingGraves,
  log: (message: string, fields: object) => void,
): ArtifactCache {
  const trust = trustIn(redis, db);
  const write = async (appId: string, graves: Grave[]): Promise<void> => {
    await redis.run((client) =>
      Promise.all(graves.map((grave) => client.set(keyOf(appId, grave), 'T', 'EX', GRAVE_SECONDS))),
    );
  };

  return {
    isInUse: true,
    async read(appId, kind, id) {
      if (performance.now() >= trust.now().until) return undefined;
      const found = await redis.run((client) => client.get(keyOf(appId, { kind, id })));
      if (found === 'T') return 'gone';
      const [, filledIn, members] = FILLED.exec(found ?? '') ?? [];
      // As of now: another server may have taken over since it was asked.
      return filledIn === trust.now().history ? `{${members}` : undefined;
    },
    async fill(appId, { kind, id, version, value, ttlSeconds }) {
      const { history } = trust.now();
      if (history === '') return;
      const milliseconds = Math.max(1, Math.floor(Math.min(ttlSeconds, FILL_SECONDS) * 1000));
      const key = keyOf(appId, { kind, id });
      // A lost fill costs a read of Postgres later, nothing else.
      await redis
        .run((client) => client.eval(FILL, 1, key, version, history, filled(history, value), milliseconds))
        .catch(() => {});
    },
    async bury(appId, graves) {
      try {
        await write(appId, graves);
      } catch (error) {
        log('tombstones could not be written, they go to the outbox', { err: error, graves: graves.length });
        trust.lose();
        await db.remember(appId, graves);
        await new Promise((resolve) => setTimeout(resolve, TRUST_MS + 100));
      }
    },
    close: trust.close,
  };
}

type Trust = { history: string; until: number };

/** Until when this process may answer from the cache, and from which history. */
function trustIn(redis: RedisConnection, db: PendingGraves): { now(): Trust; lose(): void; close(): void } {
  // Trust runs out by itself, counted from when the question was asked: an answer that is late, or never comes,
  // must not let this process trust longer than a revocation waits.
  let trusted: Trust = { history: '', until: 0 };
  let askedLast = 0;
  let distrustedAt = 0;
  const ask = async (): Promise<void> => {
    const askedAt = performance.now();
    const [pending, history] = await Promise.all([
      db.anyPending().catch(() => true),
      redis.history().catch(() => undefined),
    ]);
    if (pending || history === undefined || askedAt <= Math.max(askedLast, distrustedAt)) return;
    askedLast = askedAt;
    trusted = { history, until: askedAt + TRUST_MS };
  };
  const distrust = (history: string): void => {
    distrustedAt = performance.now();
    trusted = { history, until: 0 };
  };
  redis.onChange(() => {
    distrust('');
    void ask();
  });
  void ask();
  const watch = setInterval(() => void ask(), DISTRUST_POLL_MS);
  watch.unref();
  return { now: () => trusted, lose: () => distrust(trusted.history), close: () => clearInterval(watch) };
}

const keyOf = (appId: string, grave: Grave): string => redisKey(appId, `art:${grave.kind}:${grave.id}`);

/** Tombstones that Redis has not got yet, kept in Postgres. */
export type PendingGraves = {
  remember(appId: string, graves: Grave[]): Promise<void>;
  anyPending(): Promise<boolean>;
  /** Writes what is pending into Redis; to be called again and again. */
  deliver(redis: RedisConnection): Promise<number>;
};

export function pendingGraves(db: Database, operatorDb: Database): PendingGraves {
  return {
    async remember(appId, graves) {
      await db.query(
        appId,
        sql`insert into pending_graves (app_id, kind, id) select ${appId}, k, i from unnest(${graves.map((grave) => grave.kind)}::text[], ${graves.map((grave) => grave.id)}::text[]) as g (k, i)
            on conflict (app_id, kind, id) do update set created_at = now()`,
      );
    },
    async anyPending() {
      const [row] = await operatorDb.query<{ pending: boolean }>(
        undefined,
        sql`select exists (select from pending_graves) as pending`,
      );
      return row!.pending;
    },
    async deliver(redis) {
      const rows = await operatorDb.query<{
        app_id: string;
        kind: ArtifactKind;
        id: string;
        created_at: string;
      }>(
        undefined,
        sql`select app_id, kind, id, created_at::text from pending_graves order by created_at limit 500`,
      );
      for (const row of rows) {
        await redis.run((client) => client.set(keyOf(row.app_id, row), 'T', 'EX', GRAVE_SECONDS));
        await operatorDb.query(
          undefined,
          sql`delete from pending_graves where app_id = ${row.app_id} and kind = ${row.kind} and id = ${row.id} and created_at = ${row.created_at}::timestamptz`,
        );
      }
      return rows.length;
    },
  };
}
