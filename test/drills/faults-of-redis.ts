import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Drill, Stage } from './drill.ts';
import { REDIRECT, shopOf } from './flows.ts';
import { Lost } from './history.ts';
import { patiently } from './patience.ts';
import { makeRedis, makeSentinel, type RedisServer } from './redis-server.ts';

/** That there was no answer is in the history, and judged there. */
const orLost = (error: unknown): undefined => {
  if (!(error instanceof Lost)) throw error;
};

/** I5: what was spent is not good again because the store that says so early is away or empty. */
async function expectSpent({ scene, sender, must }: Stage): Promise<void> {
  const { redeemed, revocations } = scene.ledger;
  const again = redeemed.slice(-10).map(async ({ chain, code, verifier }) => {
    const { issuer, appId } = chain;
    // A code that comes again ends what it gave (RFC 6749 §4.1.2).
    chain.revoked = chain.revoked === 'no' ? 'unknown' : chain.revoked;
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier };
    const answer = await sender.post(`${issuer}/token`, shopOf(scene, { appId }), form).catch(orLost);
    must(
      answer === undefined || answer.status === 400 || answer.status === 503,
      `a code that was redeemed before the fault was answered ${answer?.status}`,
    );
  });
  const asked = revocations.slice(-20).map(async ({ token, issuer, appId }) => {
    const shop = shopOf(scene, { appId });
    const answer = await sender.post(`${issuer}/introspect`, shop, { token }).catch(orLost);
    must(answer?.body?.active !== true, 'a token that was revoked before the fault is active');
  });
  await Promise.all([...again, ...asked]);
}

/** I5: who guesses is still counted, each instance by itself. */
async function expectCounted({ world, must }: Stage, address: string): Promise<void> {
  const guess = async (): Promise<number> => {
    const headers = { authorization: 'Bearer guessed', 'x-forwarded-for': address };
    const signal = AbortSignal.timeout(20_000);
    const answer = await fetch(`${world.baseUrl}/api/v1/apps`, { headers, signal }).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status ?? 0;
  };
  const statuses = await Promise.all(Array.from({ length: 30 }, guess));
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
    name: 'Redis is stopped, then swallows',
    does: 'Redis ends with all it held and is started again, empty; then everything on the way to it disappears and nobody is told',
    async fault(stage) {
      const { world, faultMs } = stage;
      await world.redis[0]!.stop();
      await sleep(faultMs / 2);
      await expectSpent(stage);
      await expectCounted(stage, '198.51.100.7');
      await sleep(faultMs / 2);
      await world.redis[0]!.start();
      await expectSpent(stage);
      await sleep(faultMs / 4);
      world.redisLink.set({ isBlackHole: true });
      const since = performance.now();
      await expectSpent(stage);
      await expectCounted(stage, '198.51.100.8');
      // Longer than an answer may take, so that one that waits for Redis is seen.
      await sleep(Math.max(faultMs, 13_000 - (performance.now() - since)));
      world.redisLink.heal();
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
