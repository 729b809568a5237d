import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, signedIn } from '../support/sign-in.ts';

const PEOPLE = 240;
const APPS = 40;
const AT_ONCE = 4;

type Sizes = Record<string, { rows: number; bytes: number }>;

/** What docs/scale.md reckons with; printed, and held to a generous limit. */
describe('what a person and an app take in Postgres', function () {
  this.timeout(600_000);
  let latchkey: TestLatchkey;

  before(async () => {
    latchkey = await startTestLatchkey({ driver: 'redis' });
  });
  after(() => latchkey.stop());

  /** Rows, and bytes with indexes and what is stored apart. */
  const sizes = async (): Promise<Sizes> => {
    const found: Sizes = {};
    for (const { name } of await latchkey.sql<{ name: string }>(
      `select relname as name from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace`,
    )) {
      await latchkey.sql(`vacuum full ${name}`);
      const [row] = await latchkey.sql(
        `select (select count(*)::int from ${name}) as rows, pg_total_relation_size('${name}')::int as bytes`,
      );
      found[name] = row as Sizes[string];
    }
    return found;
  };
  const grown = async (count: number, work: (at: number) => Promise<unknown>): Promise<number> => {
    const before = await sizes();
    let next = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < count) await work((next += 1));
      }),
    );
    const after = await sizes();
    let sum = 0;
    for (const [name, { rows, bytes }] of Object.entries(after)) {
      const more = bytes - (before[name]?.bytes ?? 0);
      const moreRows = rows - (before[name]?.rows ?? 0);
      sum += more;
      if (moreRows > 0)
        console.log(
          `      ${name.padEnd(24)}${(moreRows / count).toFixed(2).padStart(6)} rows ${Math.round(
            more / count,
          )
            .toString()
            .padStart(6)} bytes`,
        );
    }
    console.log(
      `      ${'together'.padEnd(24)}${Math.round(sum / count)
        .toString()
        .padStart(18)} bytes`,
    );
    return sum / count;
  };

  it('a person with a password who was never there', async () => {
    await makeApp(latchkey, 'shop');
    expect(
      await grown(PEOPLE, (at) => makeUser(latchkey, 'shop', `person-${at}@example.com`)),
    ).to.be.lessThan(6000);
  });

  it('a person who signs in once and holds tokens', async () => {
    const shop = await makeApp(latchkey, 'mill');
    for (let at = 1; at <= PEOPLE; at += 1) await makeUser(latchkey, 'mill', `person-${at}@example.com`);
    expect(
      await grown(PEOPLE, (at) => signedIn(latchkey, shop, { email: `person-${at}@example.com` })),
    ).to.be.lessThan(16_000);
  });

  it('an app with its keys', async () => {
    expect(await grown(APPS, (at) => makeApp(latchkey, `app-${at}`))).to.be.lessThan(40_000);
  });
});
