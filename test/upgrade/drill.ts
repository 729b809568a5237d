// `npm run test:upgrade`: the schema of a release before, full, is migrated while its program serves; then this one serves
// on the same stores, and then the old one again. Real processes, one Postgres, one Redis. See docs/upgrading.md.
import { expect } from 'chai';
import { changesTables } from '../../src/storage/migrations/first-releases.ts';
import { readMigrations } from '../../src/storage/migrations/file.ts';
import { migrateAt, migrationsWith, removeMigrations } from '../support/migrations.ts';
import { migrationsDir } from '../support/stores.ts';
import { type Cast, comeBack, leaveOpen, makeCast, type Pending, useTokens } from './cast.ts';
import { type Deployment, type Instance, startDeployment } from './deployment.ts';
import { type Factors, factorWorkers, lookAround, makeFactors, recover } from './factors.ts';
import { multiply } from './rows.ts';
import { type Release, today, unpackRelease } from './release.ts';
import { startTraffic, type Traffic, type Worker } from './traffic.ts';

type Stage = { release: string; newest: string; hasFactors: boolean };
const STAGES: Stage[] = [
  { release: '0.1.0', newest: '0001', hasFactors: false },
  { release: 'before-0020', newest: '0016', hasFactors: true },
];
/** Tables that are large where there are many people: as large as is quick to make. */
const LARGE = ['users', 'passwords', 'sessions', 'refresh_tokens', 'audit_events'];
const ROWS = 20_000;

for (const stage of STAGES)
  describe(`from ${stage.release} (migration ${stage.newest}) to this program`, function () {
    this.timeout(600_000);
    let older: Release;
    let at: Deployment;
    let old: Instance;
    let now: Instance[];
    let cast: Cast;
    let factors: Factors | undefined;
    let traffic: Traffic;
    let workers: Worker[];
    let applied = 0;
    const pending: Pending[][] = [];

    before(async () => {
      older = await unpackRelease(stage.release);
      at = await startDeployment();
      old = await at.start(older);
      await at.balancer.to('making people', [old]);
      cast = await makeCast(at.lk);
      if (stage.hasFactors) factors = await makeFactors(at.lk, cast.shop);
      for (const table of LARGE) await multiply(at.owner, table, ROWS);
      workers = [...cast.workers, ...(factors ? factorWorkers(at.lk, cast.shop, factors) : [])];
      traffic = startTraffic(workers);
    });
    after(async () => {
      await traffic?.stop();
      tell(at);
      await at?.end();
      older?.remove();
    });
    /** Some rounds of everything, none of which may fail. */
    const works = async (phase: string, instances: readonly Instance[], rounds = 2): Promise<void> => {
      await at.balancer.to(phase, instances);
      await traffic.rounds(rounds);
      nothingFailed(phase);
    };
    const nothingFailed = (phase: string): void => {
      const refused = at.balancer.history
        .slice(forgiven.requests)
        .filter(({ status }) => status >= 500 || status === 499);
      const wrong = [
        ...traffic.faults,
        ...refused.map((one) => JSON.stringify(one)),
        ...at.errors().slice(forgiven.errors),
      ];
      const some = wrong.slice(0, 12).map((one) => one.slice(0, 1000));
      expect(wrong.length, [phase, ...some].join('\n')).to.equal(0);
    };
    const forgiven = { requests: 0, errors: 0 };
    /**
     * Both prepare `select *`, so what they are asked in the moment that a table gets a column may be refused, to be asked
     * again. Nothing else may, and nothing where no table gets one.
     */
    const forgive = async (): Promise<void> => {
      const pending = (await readMigrations(migrationsDir)).filter(
        ({ name }) => name.slice(0, 4) > stage.newest,
      );
      if (!pending.some(changesTables)) return nothingFailed('migrating');
      const refused = at.balancer.history.filter(({ status }) => status >= 500);
      expect(refused.filter(({ phase }) => phase !== 'migrating')).to.deep.equal([]);
      const why = at
        .errors()
        .filter((line) => !/cached plan must not change result type|[Tt]erminat/.test(line));
      expect(why.map((line) => line.slice(0, 1000))).to.deep.equal([]);
      console.log(`      ${refused.length} requests were refused while tables got columns`);
      Object.assign(forgiven, { requests: at.balancer.history.length, errors: at.errors().length });
      traffic.faults.length = 0;
    };
    /** The next migration that somebody might write. */
    const apply = async (text: string): Promise<void> => {
      applied += 1;
      next[`900${applied}_next.sql`] = text;
      const dir = migrationsWith(next);
      await migrateAt(at.database, { migrationsDir: dir }).finally(() => removeMigrations(dir));
    };
    const next: Record<string, string> = {};
    const finish = async (some: Pending[]): Promise<void> => {
      for (const { what, finish: end } of some)
        await end().catch((error: Error) => {
          throw new Error(`${what} came to nothing: ${error.message}`, { cause: error });
        });
    };

    it('the old program serves', async () => {
      await works('old', [old]);
      for (let n = 0; n < 3; n += 1) pending.push(await leaveOpen(at.lk, cast));
    });

    it('is migrated once by two commands at the same time, while the old program serves', async () => {
      await at.balancer.to('migrating', [old]);
      const plan = await at.run(today, 'migrate', '--plan');
      expect(plan.out, plan.err).to.match(
        /pending\. Nothing was changed;[^]*\n0020_people\.sql\n {2}locks {3}nothing that serves\n/,
      );
      const runs = await Promise.all([at.run(today, 'migrate'), at.run(today, 'migrate')]);
      for (const { code, out, err } of runs) expect(code, out + err).to.equal(0);
      await forgive();
      const applied = runs.filter(({ out }) => /Applied: 0/.test(out));
      expect(applied.length, runs.map(({ out }) => out).join('\n')).to.equal(1);
      expect((await at.run(today, 'migrate')).out).to.match(/The schema is up to date/);
      expect((await at.run(today, 'migrate', '--plan')).out).to.match(/The schema is up to date/);
      await works('migrated', [old]);
      await finish(pending[0]!);
    });

    it('is served by the old program and this one side by side', async () => {
      now = await Promise.all([at.start(today), at.start(today)]);
      await works('side by side', [old, ...now], 3);
      await finish(pending[1]!);
    });

    it('is served by this program alone, which nobody is signed out by', async () => {
      await works('new', now);
      await finish(pending[2]!);
      pending.push(await leaveOpen(at.lk, cast));
    });

    it('is served by the old program again, should one have to go back', async () => {
      await works('back', [old]);
      await finish(pending[3]!);
    });

    it('leaves everybody what they had', async () => {
      await works('new again', now);
      const { code, out, err } = await old.stop();
      expect(code, out + err).to.equal(0);
      await works('new alone', now);
      for (const keeper of cast.keepers) {
        await comeBack(keeper);
        await useTokens(cast.client, keeper);
      }
      if (factors) {
        for (const { agent } of [factors.holder, factors.guarded]) await lookAround(cast.shop, agent);
        await recover(at.lk, cast.shop, factors);
      }
      await traffic.stop();
      expect(traffic.faults).to.deep.equal([]);
    });

    it('stops the old program, started anew, with one clear line', async () => {
      const { code, out, err } = await at.run(older, 'start');
      expect(code, out).to.equal(1);
      const lines = err.trim().split('\n');
      expect(lines, err).to.have.length(1);
      expect(lines[0]).to.match(
        /^the database is newer than this program: it has \d{4}_\w+\.sql\. Start the newer release instead\.$/,
      );
    });

    if (stage.hasFactors)
      it('serves on while every table gets a column, by a program that may be started again afterwards', async () => {
        const tables = (
          await at.lk.sql<{ name: string }>(
            "select tablename as name from pg_tables where schemaname = 'public'",
          )
        ).map(({ name }) => name);
        // One by one: whoever locks two tables in one transaction may meet a request that has them the other way round.
        const text = tables
          .map((name) => `alter table ${name} add column if not exists one_more text;`)
          .join('\n');
        const newest = (await readMigrations(migrationsDir)).at(-1)!.name.slice(0, 4);
        traffic = startTraffic(workers);
        await works('before the next', now);
        await apply(`--@ serves: programs since ${newest}\n--@ transaction: none\n${text}`);
        await works('after the next', now);
        const again = await at.start(today);
        await works('started again', [again], 1);
        await traffic.stop();
        await again.stop();
      });

    it('shows a migration that takes away what a program still reads', async () => {
      await at.balancer.to('a column less', now);
      // Every sign-in asks for it.
      await apply('--@ serves: programs since 0001\nalter table grants drop column revision;');
      traffic = startTraffic(workers);
      await traffic.rounds(2);
      await traffic.stop();
      expect(traffic.faults).to.not.deep.equal([]);
    });
  });

/** For people: how much was asked in each phase, and what took longest. */
function tell(at: Deployment | undefined): void {
  const phases = Map.groupBy(at?.balancer.history ?? [], ({ phase }) => phase);
  for (const [phase, seen] of phases) {
    const longest = seen.reduce((a, b) => (a.ms > b.ms ? a : b));
    console.log(
      `      ${phase}: ${seen.length} requests, the longest ${Math.round(longest.ms)} ms (${longest.what} by ${longest.by})`,
    );
  }
}
