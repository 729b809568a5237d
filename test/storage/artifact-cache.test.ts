import { expect } from 'chai';
import { Redis } from 'ioredis';
import { type ArtifactCache, artifactCacheOnRedis, pendingGraves } from '../../src/storage/artifact-cache.ts';
import { unavailable } from '../../src/kernel/problem.ts';
import { Secret } from '../../src/config/secret.ts';
import { connectRedis, type RedisConnection } from '../../src/storage/redis.ts';
import { askRedis, startRedisServer } from '../support/redis-server.ts';
import { testRedisUrl } from '../support/servers.ts';
import { insertBareApp, type TestDatabase, testDatabase, testRedis } from '../support/stores.ts';

/** A process's connection that a test can cut while the others keep theirs. */
type Cuttable = RedisConnection & { cut: boolean };

function cuttable(redis: RedisConnection): Cuttable {
  const connection: Cuttable = {
    cut: false,
    run: (work) =>
      connection.cut ? Promise.reject(unavailable('Redis', new Error('cut'))) : redis.run(work),
    ping: () => redis.ping(),
    history: () => redis.history(),
    onChange: (listener) => redis.onChange(listener),
    close: () => redis.close(),
  };
  return connection;
}

/** What is cached is the JSON of objects. */
const saying = (word: string): string => JSON.stringify({ word });
const wordIn = (found: string | undefined): string | undefined =>
  found === undefined || found === 'gone' ? found : JSON.parse(found).word;

describe('the cache of durable artifacts', () => {
  const APP = 'cached-app';
  let database: TestDatabase;
  let redis: Cuttable;
  let raw: Redis;
  let here: ArtifactCache;
  let elsewhere: ArtifactCache;
  let id = 0;
  const opened: ArtifactCache[] = [];
  const process = (connection: RedisConnection): ArtifactCache => {
    const cache = artifactCacheOnRedis(connection, pendingGraves(database.db, database.operatorDb), () => {});
    opened.push(cache);
    return cache;
  };
  const grave = () => ({ kind: 'grant' as const, id: `grant-${id}` });
  const fill = (version: number, value: string, cache = here): Promise<void> =>
    cache.fill(APP, { ...grave(), version, value: saying(value), ttlSeconds: 300 });
  const readAt = async (cache: ArtifactCache, at: string): Promise<string | undefined> =>
    wordIn(await cache.read(APP, 'grant', at));
  const read = (cache = here): Promise<string | undefined> => readAt(cache, grave().id);
  /** Until every process of this test may answer from the cache. */
  const trusted = async (): Promise<void> => {
    for (const cache of [here, elsewhere])
      do {
        id += 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
        await fill(1, 'probe');
      } while ((await read(cache)) !== 'probe');
    id += 1;
  };

  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, APP);
    redis = cuttable(await testRedis(database.connection));
    raw = new Redis(testRedisUrl(database.connection));
    here = process(redis);
    elsewhere = process(await testRedis(database.connection).then(cuttable));
  });
  beforeEach(trusted);
  after(async () => {
    for (const cache of opened) cache.close();
    await Promise.all([redis.close(), raw.quit(), database.end()]);
  });

  it('answers with what was filled, in every process and in no other app', async () => {
    await fill(1, 'value');
    expect(await read(elsewhere)).to.equal('value');
    expect(await here.read('another-app', 'grant', grave().id)).to.equal(undefined);
  });

  it('never goes back to an older version, whichever comes last', async () => {
    await fill(2, 'second');
    await fill(1, 'first', elsewhere);
    expect(await read()).to.equal('second');
    await fill(10, 'tenth', elsewhere);
    await fill(9, 'ninth');
    expect(await read()).to.equal('tenth');
  });

  it('is written so that programs of 0.1.0 can read it, and says nothing to this one of what they wrote', async () => {
    await fill(7, 'value');
    const [key] = await raw.keys(`*${grave().id}`);
    const stored = (await raw.get(key!))!;
    // What 0.1.0 does with it.
    expect(JSON.parse(stored.slice(stored.indexOf(':') + 1)).word).to.equal('value');
    await raw.set(key!, `8:${saying('theirs')}`, 'EX', 300);
    expect(await read()).to.equal(undefined);
    await fill(7, 'older than theirs');
    expect(await read()).to.equal(undefined);
    await fill(9, 'newer');
    expect(await read()).to.equal('newer');
  });

  it('refuses a fill that was read before the revocation and comes after it', async () => {
    await fill(1, 'live');
    await here.bury(APP, [grave()]);
    await fill(2, 'late', elsewhere);
    expect(await read(elsewhere)).to.equal('gone');
    const [tomb] = await raw.keys(`*${grave().id}`);
    // A fill lives for 300 s at most.
    expect(await raw.ttl(tomb!)).to.be.greaterThan(300);
  });

  it('forgets a fill after five minutes, however long the artifact lives', async () => {
    await here.fill(APP, { ...grave(), version: 1, value: saying('long'), ttlSeconds: 1_000_000 });
    const [key] = await raw.keys(`*${grave().id}`);
    expect(await raw.ttl(key!)).to.be.at.most(300);
  });

  it('writes a revocation into the database when Redis is away, is trusted by nobody from then on, and catches up', async () => {
    await fill(1, 'live');
    redis.cut = true;
    await here.bury(APP, [grave()]);
    redis.cut = false;
    // Acknowledged: from here on nobody answers from the fill, which is still there.
    expect(await read()).to.equal(undefined);
    expect(await read(elsewhere)).to.equal(undefined);
    expect(await raw.get((await raw.keys(`*${grave().id}`))[0]!)).to.match(/^1:.*live/);
    const pending = await database.operatorDb.query<{ app_id: string; id: string }>(undefined, {
      name: '',
      text: 'select app_id, id from pending_graves',
      values: [],
    });
    expect(pending).to.deep.equal([{ app_id: APP, id: grave().id }]);

    expect(await pendingGraves(database.db, database.operatorDb).deliver(redis)).to.equal(1);
    const buried = grave().id;
    await trusted();
    for (const cache of [here, elsewhere]) expect(await cache.read(APP, 'grant', buried)).to.equal('gone');
    expect(
      await database.operatorDb.query(undefined, {
        name: '',
        text: 'select from pending_graves',
        values: [],
      }),
    ).to.have.length(0);
  });

  it('is not trusted by a process that has just started and has not asked yet', async () => {
    await fill(1, 'live');
    await pendingGraves(database.db, database.operatorDb).remember(APP, [grave()]);
    expect(await read(process(redis))).to.equal(undefined);
    await pendingGraves(database.db, database.operatorDb).deliver(redis);
  });

  it('is not trusted while the answer about missing tombstones does not come', async () => {
    await fill(1, 'live');
    let stuck = false;
    const slow = artifactCacheOnRedis(
      redis,
      {
        ...pendingGraves(database.db, database.operatorDb),
        anyPending: () => (stuck ? new Promise(() => {}) : Promise.resolve(false)),
      },
      () => {},
    );
    opened.push(slow);
    while ((await read(slow)) !== 'live') await new Promise((resolve) => setTimeout(resolve, 10));
    stuck = true;
    while ((await read(slow)) === 'live') await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await read(slow)).to.equal(undefined);
  });

  it('keeps a tombstone for later when delivering it fails again', async () => {
    const graves = pendingGraves(database.db, database.operatorDb);
    await graves.remember(APP, [grave()]);
    redis.cut = true;
    expect(
      await graves.deliver(redis).then(
        () => 'delivered',
        (error: { code: string }) => error.code,
      ),
    ).to.equal('store.unavailable');
    redis.cut = false;
    expect(await graves.anyPending()).to.equal(true);
    expect(await graves.deliver(redis)).to.equal(1);
    expect(await graves.anyPending()).to.equal(false);
  });

  it('is read in no other history of Redis: one that begins again from a file brings no revoked artifact back', async () => {
    const server = await startRedisServer();
    const connection = await connectRedis({ kind: 'single', url: new Secret(server.url) }, () => {});
    const other = process(connection);
    /** Until the process, which trusts what it knows for a second only, sees what is to be seen. */
    const sees = async (wanted: (value: string | undefined) => boolean, at: string): Promise<void> => {
      while (!wanted(await readAt(other, at).catch(() => undefined)))
        await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const believes = async (): Promise<void> => {
      id += 1;
      const at = grave().id;
      await sees((value) => {
        void fill(1, 'probe', other);
        return value === 'probe';
      }, at);
    };
    await believes();
    id += 1;
    const ended = grave();
    await fill(2, 'live', other);
    await sees((value) => value === 'live', ended.id);
    expect(await askRedis(server.port, 'SAVE')).to.match(/^\+OK/);
    await other.bury(APP, [ended]);
    await sees((value) => value === 'gone', ended.id);

    await server.stop();
    await server.start();
    await believes();
    expect(await askRedis(server.port, `GET lk:${APP}:art:grant:${ended.id}`)).to.match(/"live"\}\r\n$/);
    expect(await other.read(APP, ended.kind, ended.id)).to.equal(undefined);
    // What was filled before is no obstacle to what is filled now.
    await other.fill(APP, { ...ended, version: 1, value: saying('anew'), ttlSeconds: 300 });
    await sees((value) => value === 'anew', ended.id);
    await connection.close();
    await server.end();
  });
});
