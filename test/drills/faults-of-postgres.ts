import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Drill, Stage } from './drill.ts';
import { inTime, patiently } from './patience.ts';
import { makePostgres, type PostgresServer } from './postgres-server.ts';

const PUBLISHED = [
  '/healthz',
  '/.well-known/openid-configuration',
  '/.well-known/jwks.json',
  '/auth/shop/.well-known/openid-configuration',
  '/auth/shop/.well-known/jwks.json',
];

/** What is published is answered by both instances, and both say of themselves that they live. */
async function expectPublished({ world, must }: Stage): Promise<void> {
  for (const { port } of world.instances)
    for (const path of PUBLISHED) {
      const answer = await fetch(`http://localhost:${port}${path}`, {
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined);
      await answer?.arrayBuffer();
      must(answer?.status === 200, `${path} was answered ${answer?.status ?? 'not at all'} during the fault`);
    }
}

const unready = ({ world }: Stage): Promise<boolean> =>
  inTime(async () => !(await world.instances[0].isReady()) && !(await world.instances[1].isReady()), 5000);

const isRoot = process.getuid?.() === 0;
const onlyByRoot = (): string | undefined =>
  isRoot ? undefined : 'a small disk (tmpfs) can be mounted by root only';

/** So many at once that want connections of their own and keep them. */
async function hogging(stage: Stage, times: number): Promise<() => Promise<void>> {
  let isOver = false;
  const hog = async (): Promise<void> => {
    while (!isOver) {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: stage.world.postgres.port,
        user: 'latchkey_server',
        database: 'latchkey',
      });
      client.on('error', () => {});
      try {
        await client.connect();
        if (!isOver) await client.query('select pg_sleep(30)');
      } catch {
        await sleep(100);
      } finally {
        // Also whoever got in when it was over: what it keeps is missing to the instances from then on.
        await Promise.race([client.end().catch(() => {}), sleep(1000)]);
      }
    }
  };
  let hogs = times;
  const all = Array.from({ length: times }, () => hog().finally(() => (hogs -= 1)));
  await sleep(500);
  return async () => {
    isOver = true;
    // Those that sleep do not hear it, and some lie down only now; for a moment they leave nobody in, whoever that is.
    for (; hogs > 0; await sleep(100))
      await stage.world.postgres
        .sql("select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'")
        .catch(() => {});
    await Promise.all(all);
  };
}

let small: { mount: string; ballast: string } | undefined;

/** The data on a disk of 128 MB; its log of changes elsewhere, as operators are told to keep it. */
function onSmallDisk(dir: string): Promise<PostgresServer> {
  const mount = `${dir}-disk`;
  mkdirSync(mount, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', mount], {
    encoding: 'utf8',
  });
  if (mounted.status !== 0) throw new Error(`no small disk: ${mounted.stderr}`);
  small = { mount, ballast: join(mount, 'ballast') };
  return makePostgres(join(mount, 'data'), { walDir: `${dir}-wal` });
}

function fill(): void {
  const { bavail, bsize } = statfsSync(small!.mount);
  writeFileSync(small!.ballast, Buffer.alloc(1));
  const done = spawnSync('fallocate', ['-l', String(bavail * bsize - 4096), small!.ballast]);
  if (done.status !== 0) throw new Error('the disk could not be filled');
}

let standby: PostgresServer | undefined;

const APPLIED = `select 1 where pg_last_wal_receive_lsn() is null
  or pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()`;

export const databaseDrills: readonly Drill[] = [
  {
    number: 1,
    name: 'Postgres is killed',
    does: 'every backend ends where it stands (SIGQUIT); the server is started again later and recovers from its log',
    async fault(stage) {
      const { world, faultMs, must } = stage;
      const begun = performance.now();
      await world.postgres.kill();
      must(await unready(stage), 'not both instances said within 5 s that they are not ready');
      // The registry answers from memory for two seconds.
      await sleep(2500);
      await expectPublished(stage);
      await sleep(Math.max(0, faultMs - (performance.now() - begun)));
      await world.postgres.start();
    },
  },
  {
    number: 2,
    name: 'Postgres fails over to its standby',
    does: 'the primary is killed; the address leads to its synchronous standby, which applies late and only reads until it is promoted',
    async fault({ world, faultMs, note }) {
      const next = standby!;
      await world.postgres.kill();
      await sleep(faultMs / 3);
      await patiently(
        'the standby has applied what it has',
        async () => (await next.sql(APPLIED)).length === 1,
      );
      world.postgresLink.pointTo(next.port);
      world.postgresLink.reset();
      await sleep(Math.max(2000, faultMs / 3));
      const [promoted] = await next.sql('select pg_last_wal_replay_lsn() as lsn, pg_promote()');
      note(`promoted from ${promoted!['lsn']} on`);
      // What is asked from here on is asked of the new primary.
      Object.assign(world.postgres, { sql: next.sql, stop: next.stop, kill: next.kill });
    },
    async prepare(world) {
      const { postgres } = world;
      standby = await postgres.follow(join(world.dir, 'standby'), { recovery_min_apply_delay: '1s' });
      await standby.start();
      await patiently(
        'the standby follows',
        async () =>
          (await postgres.sql("select 1 from pg_stat_replication where state = 'streaming'")).length === 1,
      );
      // From here on a commit is acknowledged when the standby has it.
      await postgres.sql("alter system set synchronous_standby_names = 'standby'");
      await postgres.sql('select pg_reload_conf()');
    },
    async cleanUp() {
      await standby?.stop();
      standby = undefined;
    },
  },
  {
    number: 6,
    name: 'Postgres is slow',
    does: 'every message to and from it takes 400 ms and up to 200 ms more',
    async fault(stage) {
      const { world, faultMs, since, scene, note } = stage;
      const from = scene.history.now();
      world.postgresLink.set({ delayMs: 400, jitterMs: 200 });
      await sleep(2500);
      await expectPublished(stage);
      await sleep(Math.max(faultMs, 12_000));
      world.postgresLink.heal();
      const longest = Math.max(...since(from).map(({ took }) => (Number.isFinite(took) ? took : 0)));
      note(`the slowest answer took ${Math.round(longest)} ms`);
    },
  },
  {
    number: 7,
    name: 'Connections to Postgres are reset, and swallowed',
    does: 'half of the connections are reset, three times; then everything on the way disappears and nobody is told',
    async fault(stage) {
      const { world, faultMs } = stage;
      for (let i = 0; i < 3; i += 1) {
        world.postgresLink.reset(0.5);
        await sleep(faultMs / 8);
      }
      world.postgresLink.set({ isBlackHole: true });
      // Longer than what waits for an answer waits.
      await sleep(Math.max(faultMs, 15_000));
      await expectPublished(stage);
      world.postgresLink.heal();
    },
  },
  {
    number: 8,
    name: 'Postgres has no connections left',
    does: 'two hundred clients that want every connection and keep it',
    // Enough for two instances, and no more.
    world: { postgres: (dir) => makePostgres(dir, { settings: { max_connections: '40' } }) },
    async fault(stage) {
      const release = await hogging(stage, 200);
      // Ours are given back when they have been idle for a while, and taken by others.
      stage.world.postgresLink.reset();
      await sleep(2500);
      await expectPublished(stage);
      await sleep(stage.faultMs);
      await release();
    },
  },
  {
    number: 12,
    name: 'The disk of Postgres is full',
    does: 'its data is on a disk of 128 MB that is filled to the last block; its log of changes is elsewhere',
    missing: onlyByRoot,
    world: { postgres: onSmallDisk },
    async fault(stage) {
      fill();
      await sleep(2500);
      await expectPublished(stage);
      await sleep(stage.faultMs);
      rmSync(small!.ballast);
    },
    async cleanUp() {
      if (small) spawnSync('umount', ['-l', small.mount]);
      small = undefined;
    },
  },
];
