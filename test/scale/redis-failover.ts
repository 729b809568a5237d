import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { Configuration } from 'openid-client';
import { redisUrl } from '../../src/config/formats.ts';
import { type ArtifactCache, artifactCacheOnRedis, pendingGraves } from '../../src/storage/artifact-cache.ts';
import { connectRedis, type RedisConnection } from '../../src/storage/redis.ts';
import type { Agent } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { until } from '../support/program.ts';
import { mastersOf, startRedisCluster } from '../support/redis-cluster.ts';
import { startRedisWithSentinels } from '../support/redis-sentinels.ts';
import { askRedis, type RedisServer } from '../support/redis-server.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { insertBareApp, type TestDatabase, testDatabase } from '../support/stores.ts';
import { atOnce, introspect, redeemCode, refresh, userinfo } from '../support/token-calls.ts';

type Arrangement = { url: string; masters(): Promise<RedisServer[]> };

const arrangements: Record<string, () => Promise<Arrangement>> = {
  'Redis Cluster': async () => {
    const started = await startRedisCluster();
    return { url: started.url, masters: () => mastersOf(started) };
  },
  'Redis with Sentinels': async () => {
    const { url, master } = await startRedisWithSentinels();
    return { url, masters: async () => [await master()] };
  },
};

for (const [name, start] of Object.entries(arrangements)) {
  describe(`${name}, of which a master dies`, function () {
    this.timeout(300_000);
    onlyWhatPostgresKnows(start);
    peopleInTheMiddle(start);
  });
}

/** The server that holds a key, with replicas that have all it has. */
async function holderOf(masters: RedisServer[], key: string): Promise<RedisServer> {
  for (const master of masters)
    if ((await askRedis(master.port, `EXISTS ${key}`)).startsWith(':1')) {
      await until('the replicas have it', async () => {
        const info = await askRedis(master.port, 'INFO replication');
        const [, written] = /master_repl_offset:(\d+)/.exec(info)!;
        const offsets = [...info.matchAll(/state=online,offset=(\d+)/g)].map(([, offset]) => Number(offset));
        return offsets.length > 0 && offsets.every((offset) => offset >= Number(written) - 100);
      });
      return master;
    }
  throw new Error(`nobody has ${key}`);
}

/** From now on its replicas get nothing of what it is told. Those who are connected stay so. */
async function cutReplicasOff(master: RedisServer): Promise<void> {
  const admin = new Redis(master.port, '127.0.0.1');
  await admin.config('SET', 'requirepass', 'unknown-to-replicas');
  await admin.call('CLIENT', 'KILL', 'TYPE', 'replica');
  await until('no replica is left', async () =>
    (await admin.info('replication')).includes('connected_slaves:0'),
  );
  admin.disconnect();
}

function onlyWhatPostgresKnows(start: () => Promise<Arrangement>): void {
  const APP = 'cached-app';
  const KIND = 'grant' as const;
  let redis: Arrangement;
  let database: TestDatabase;
  const connections: RedisConnection[] = [];
  const caches: ArtifactCache[] = [];

  const process = async (): Promise<ArtifactCache> => {
    const connection = await connectRedis(redisUrl.parse(redis.url), () => {});
    connections.push(connection);
    const cache = artifactCacheOnRedis(connection, pendingGraves(database.db, database.operatorDb), () => {});
    caches.push(cache);
    return cache;
  };
  const isTrusted = async (cache: ArtifactCache, id: string): Promise<boolean> => {
    await cache.fill(APP, { kind: KIND, id, version: 1, value: '{"word":"probe"}', ttlSeconds: 300 });
    return (await cache.read(APP, KIND, id).catch(() => undefined)) === '{"word":"probe"}';
  };

  before(async () => {
    [redis, database] = await Promise.all([start(), testDatabase()]);
    await insertBareApp(database, APP);
  });
  after(async () => {
    for (const cache of caches) cache.close();
    await Promise.all([...connections.map((each) => each.close()), database.end()]);
  });

  it('a revocation that it took along is forgotten by nobody', async () => {
    const [here, elsewhere] = [await process(), await process()];
    for (const cache of [here, elsewhere]) await until('trusted', () => isTrusted(cache, 'before'));
    const grave = { kind: KIND, id: 'ended' };
    const key = `lk:${APP}:art:${KIND}:ended`;
    await here.fill(APP, { ...grave, version: 1, value: '{"word":"live"}', ttlSeconds: 300 });
    expect(await elsewhere.read(APP, KIND, 'ended')).to.equal('{"word":"live"}');

    const holder = await holderOf(await redis.masters(), key);
    await cutReplicasOff(holder);
    await here.bury(APP, [grave]);
    expect(await elsewhere.read(APP, KIND, 'ended')).to.equal('gone');
    await holder.stop('SIGKILL');

    let asked = 0;
    const seen = new Set<unknown>();
    for (const cache of [here, elsewhere])
      await until('trusted again', async () => {
        for (const each of [here, elsewhere])
          seen.add(await each.read(APP, KIND, 'ended').catch(() => 'unavailable'));
        asked += 1;
        return isTrusted(cache, `after-${asked}`);
      });
    for (const cache of [here, elsewhere]) seen.add(await cache.read(APP, KIND, 'ended'));
    expect([...seen]).to.not.include('{"word":"live"}');
    // The new master does hold what was true before, and no tombstone.
    const kept = await Promise.all(
      (await redis.masters()).map(({ port }) => askRedis(port, `GET ${key}`).catch(() => '')),
    );
    expect(kept.join('\n')).to.match(/\n1:\{"@":"[^"]+","word":"live"\}\r\n/);
  });
}

function peopleInTheMiddle(start: () => Promise<Arrangement>): void {
  const ADA = 'ada@example.com';
  const EVE = 'eve@example.com';
  let redis: Arrangement;
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let configuration: Configuration;

  before(async () => {
    redis = await start();
    latchkey = await startTestLatchkey({ driver: 'redis', redisUrl: redis.url });
    shop = await makeApp(latchkey, 'shop');
    configuration = await discover(latchkey, shop, 'shared');
  });
  after(() => latchkey.stop());

  const silently = async (agent: Agent): Promise<URLSearchParams> => {
    const request = await authorizationRequest(configuration, { prompt: 'none', scope: 'openid' });
    return new URL((await agent.open(request.url.href)).url).searchParams;
  };
  const signIn = async (email: string): Promise<{ callback: string; verifier: string }> => {
    const request = await authorizationRequest(configuration);
    const { url: callback } = await signInByPassword(latchkey.agent(), request, email);
    return { callback, verifier: request.verifier };
  };

  it('is followed by the next one: nobody is signed out, what was ended or spent stays so, and everything goes on', async () => {
    await makeUser(latchkey, 'shop', ADA);
    const eveId = await makeUser(latchkey, 'shop', EVE);
    const ada = await signedIn(latchkey, shop, { email: ADA });
    const eve = await signedIn(latchkey, shop, { email: EVE });
    for (const { agent } of [ada, eve]) expect((await silently(agent)).has('code')).to.equal(true);
    const spent = { callback: ada.callback, verifier: ada.request.verifier };
    const sessions = await latchkey.admin('GET', `/apps/shop/users/${eveId}/sessions`);
    for (const { session_id } of sessions.body.items)
      expect(
        (await latchkey.admin('DELETE', `/apps/shop/users/${eveId}/sessions/${session_id}`)).status,
      ).to.equal(204);

    const [master] = await redis.masters();
    await master!.stop('SIGKILL');
    await until('ready, and a whole sign-in', async () => {
      if ((await fetch(`${latchkey.baseUrl}/readyz`)).status !== 200) return false;
      return signIn(ADA).then(
        async (code) => (await redeemCode(configuration, shop, code)).status === 200,
        () => false,
      );
    });

    await until('what is over is refused', async () => {
      const again = await redeemCode(configuration, shop, spent);
      if (again.status === 503) return false;
      expect(again.body.error).to.equal('invalid_grant');
      const silent = await silently(eve.agent).catch(() => undefined);
      if (silent === undefined) return false;
      expect(silent.has('code')).to.equal(false);
      return silent.get('error') === 'login_required';
    });
    expect((await introspect(configuration, shop, eve.tokens.access_token)).body.active).to.equal(false);
    expect((await refresh(configuration, shop, eve.tokens.refresh_token!)).body.error).to.equal(
      'invalid_grant',
    );

    // Each Sentinel tells of the new master in its own time, and the connection is made anew each time: some answers are 503.
    const answers = await until('tokens for one of sixteen', async () => {
      const code = await signIn(ADA).catch(() => undefined);
      const given = code && (await atOnce(16, () => redeemCode(configuration, shop, code)));
      return given?.some(({ status }) => status !== 503) && given;
    });
    const won = answers.filter(({ status }) => status === 200);
    expect(won, JSON.stringify(answers.map(({ status, text }) => [status, text]))).to.have.length(1);

    // Ada's first session lived through it, though the second use of its code, above, ended what that code had given.
    await until('silently', async () => (await silently(ada.agent).catch(() => undefined))?.has('code'));
    const fresh = await until('tokens', () =>
      signedIn(latchkey, shop, { email: ADA }).catch(() => undefined),
    );
    expect((await userinfo(configuration, fresh.tokens.access_token)).status).to.equal(200);
    expect((await refresh(configuration, shop, fresh.tokens.refresh_token!)).status).to.equal(200);
  });
}
