import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Drill, Stage } from './drill.ts';
import { REDIRECT, shopOf } from './flows.ts';
import { patiently } from './patience.ts';
import { makeRedis, makeSentinel, type RedisServer } from './redis-server.ts';

/** I5: what was spent is not good again because the store that says so early is away or empty. */
async function expectSpent({ scene, sender, must }: Stage): Promise<void> {
  for (const { chain, code, verifier } of scene.ledger.redeemed.slice(-10)) {
    const { issuer, appId } = chain;
    // A code that comes again ends what it gave (RFC 6749 §4.1.2).
    chain.revoked = chain.revoked === 'no' ? 'unknown' : chain.revoked;
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier };
    const { status } = await sender.post(`${issuer}/token`, shopOf(scene, { appId }), form);
    must(
      status === 400 || status === 503,
      `a code that was redeemed before the fault was answered ${status}`,
    );
  }
  for (const { token, issuer, appId } of scene.ledger.revocations.slice(-20)) {
    const { body } = await sender.post(`${issuer}/introspect`, shopOf(scene, { appId }), { token });
    must(body?.active !== true, 'a token that was revoked before the fault is active');
  }
}

/** I5: who guesses is still counted, each instance by itself. */
async function expectCounted({ world, must }: Stage): Promise<void> {
  const guess = async (): Promise<number> => {
    const headers = { authorization: 'Bearer guessed', 'x-forwarded-for': '198.51.100.7' };
    const answer = await fetch(`${world.baseUrl}/api/v1/apps`, { headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  const statuses = [];
  for (let i = 0; i < 30; i += 1) statuses.push(await guess());
  must(
    statuses.includes(429),
    `thirty guesses of the admin key were answered ${[...new Set(statuses)].join(', ')}`,
  );
}

async function withSentinels(dir: string): Promise<{ url: string; servers: RedisServer[] }> {
  const master = await makeRedis(join(dir, 'redis'));
  const replica = await makeRedis(join(dir, 'replica'), master.port);
  const sentinels = [];
  for (const name of ['one', 'two', 'three'])
    sentinels.push(await makeSentinel(join(dir, name), master.port));
  const url = `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/drill`;
  return { url, servers: [master, replica, ...sentinels] };
}

export const redisDrills: readonly Drill[] = [
  {
    number: 3,
    name: 'Redis is stopped',
    does: 'Redis ends with all it held and is started again, empty',
    async fault(stage) {
      const { world, faultMs } = stage;
      await world.redis[0]!.stop();
      await sleep(faultMs / 2);
      await expectSpent(stage);
      await expectCounted(stage);
      await sleep(faultMs / 2);
      await world.redis[0]!.start();
      await expectSpent(stage);
    },
  },
  {
    number: 4,
    name: 'Redis fails over',
    does: 'the master is killed; three Sentinels make its replica the master',
    world: { redis: withSentinels },
    recoversWithin: 10,
    async fault(stage) {
      const [master, replica] = stage.world.redis;
      await master!.kill();
      const begun = performance.now();
      await patiently('the replica is the master', async () =>
        (await replica!.ask('INFO', 'replication')).includes('role:master'),
      );
      stage.note(`the replica was the master after ${Math.round(performance.now() - begun)} ms`);
      stage.healed();
      await expectSpent(stage);
    },
  },
  {
    number: 5,
    name: 'Redis forgets',
    does: 'keys are evicted under load for want of memory, then all of them are deleted, twice',
    async fault(stage) {
      const { world, faultMs, note } = stage;
      const redis = world.redis[0]!;
      const numberIn = async (section: string, name: string): Promise<number> =>
        Number(new RegExp(`${name}:(\\d+)`).exec(await redis.ask('INFO', section))?.[1] ?? 0);
      const used = await numberIn('memory', 'used_memory');
      await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      await redis.ask('CONFIG', 'SET', 'maxmemory', String(used - 20_000));
      await sleep(faultMs / 2);
      await expectSpent(stage);
      const evicted = await numberIn('stats', 'evicted_keys');
      for (let i = 0; i < 2; i += 1) {
        await redis.ask('FLUSHALL');
        await sleep(faultMs / 4);
      }
      await redis.ask('CONFIG', 'SET', 'maxmemory', '0');
      await expectSpent(stage);
      note(`${evicted} keys were evicted`);
    },
  },
];
