import { expect } from 'chai';
import pg from 'pg';
import { withDeadline } from '../../src/kernel/deadline.ts';
import { Problem } from '../../src/kernel/problem.ts';
import { Database } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { type Connection, createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

describe('the connections of a process', () => {
  let database: Connection;
  before(async () => {
    database = await createDatabase();
  });
  after(() => dropDatabase(database));

  it('L10 are waited for by five hundred at most; whoever comes then is told at once, and nobody waits for ever', async () => {
    const db = new Database({
      connection: { ...database, user: 'latchkey_operator' },
      applicationName: 'test',
      poolSize: 1,
      log: () => {},
    });
    try {
      await db.ping();
      const held = db.query(undefined, sql`select pg_sleep(1)`);
      const asked = await Promise.allSettled(Array.from({ length: 600 }, () => db.ping()));
      await held;
      const reasons = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as Problem] : []));
      const turnedAway = reasons.filter(({ cause }) =>
        /waiting for a connection already/.test(String((cause as Error).cause)),
      );
      expect(turnedAway).to.have.length(601 - 500);
      expect(turnedAway[0]).to.be.instanceOf(Problem).and.to.include({ kind: 'unavailable' });
      for (const reason of reasons) expect(reason).to.include({ kind: 'unavailable' });
      await db.ping();
    } finally {
      await db.close();
    }
  });

  it('L13 a statement gets what is left of the time of its request, and is not sent where nothing is left', async () => {
    const sent: string[] = [];
    const db = new Database({
      connection: { ...database, user: 'latchkey_operator' },
      applicationName: 'test',
      poolSize: 1,
      log: () => {},
      observe: ({ text }) => sent.push(text),
    });
    const refused = (work: Promise<unknown>) => work.catch((error: unknown) => error);
    try {
      await db.ping();
      await withDeadline(1000, async (begin) => {
        // Longer than anything else waits for it.
        const late = await refused(db.query(undefined, sql`select pg_sleep(600)`));
        expect(late).to.be.instanceOf(Problem).and.to.include({ kind: 'unavailable' });
        expect(await refused(db.ping())).to.include({ kind: 'unavailable' });
        const whole = db.transaction(undefined, async (tx) => tx.query(sql`select 1`));
        expect(await refused(whole)).to.include({ kind: 'unavailable' });
        expect(sent).to.deep.equal(['select pg_sleep(600)']);
        begin();
      });
      // The connection that was given up holds nobody's place.
      await db.ping();
      expect(await db.query(undefined, sql`select 1 as one`)).to.deep.equal([{ one: 1 }]);
    } finally {
      await db.close();
    }
  });

  it('are shared where Postgres has fewer of them than the process would take', async () => {
    const scarce = await createDatabase();
    const owner = new pg.Client({ ...scarce, user: 'postgres' });
    await owner.connect();
    const db = new Database({
      connection: { ...scarce, user: 'latchkey_operator' },
      applicationName: 'test',
      poolSize: 8,
      log: () => {},
    });
    try {
      await db.ping();
      await owner.query(`alter database ${scarce.database} connection limit 3`);
      const asked = Array.from({ length: 8 }, () => db.query(undefined, sql`select pg_sleep(0.1)`));
      expect(await Promise.all(asked)).to.have.length(8);
    } finally {
      await db.close();
      await owner.end();
      await dropDatabase(scarce);
    }
  });

  it('what follows a commit is sent, however late its request is', async () => {
    const db = new Database({
      connection: { ...database, user: 'latchkey_operator' },
      applicationName: 'test',
      log: () => {},
    });
    try {
      const made = await withDeadline(300, () =>
        db.transaction(undefined, async (tx) => {
          await tx.query(sql`select 1`);
          tx.afterCommit(async () => {
            await new Promise((resolve) => setTimeout(resolve, 400));
            expect(await db.query(undefined, sql`select 2 as two`)).to.deep.equal([{ two: 2 }]);
          });
          return 'made';
        }),
      );
      expect(made).to.equal('made');
    } finally {
      await db.close();
    }
  });

  for (const pooler of ['prepared', 'unprepared'] as const)
    it(`carry all that they need in each transaction where a pooler is in between, ${pooler}`, async () => {
      const db = new Database({
        connection: { ...database, user: 'latchkey_operator' },
        applicationName: 'test',
        poolSize: 1,
        pooler,
        log: () => {},
      });
      const limits = sql`select current_setting('statement_timeout') as statement, current_setting('idle_in_transaction_session_timeout') as idle,
        current_setting('latchkey.app_id', true) as app, exists (select from pg_prepared_statements) as prepared`;
      const within = { statement: '10s', idle: '15s', app: 'shop', prepared: pooler === 'prepared' };
      try {
        expect(await db.query('shop', limits)).to.deep.equal([within]);
        expect(await db.transaction('shop', (tx) => tx.query(limits))).to.deep.equal([within]);
        expect((await db.query(undefined, limits))[0]).to.include({ app: '', statement: '10s' });
      } finally {
        await db.close();
      }
    });
});
