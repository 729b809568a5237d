import { expect } from 'chai';
import { Problem } from '../../src/kernel/problem.ts';
import { Database } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { type Connection, createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

for (const pooler of [undefined, 'prepared', 'unprepared'] as const)
  describe(`a transaction, ${pooler === undefined ? 'without a pooler' : `with a pooler, ${pooler}`}`, () => {
    let database: Connection;
    let db: Database;
    let elsewhere: Database;
    const opened = (applicationName: string): Database =>
      new Database({
        connection: { ...database, user: 'postgres' },
        applicationName,
        poolSize: 1,
        pooler,
        log: () => {},
        observe: (statement) => {
          if (statement === unsendable) throw new Error('it can not be sent');
        },
      });
    const unsendable = sql`insert into kept (n) values (99)`;
    const kept = async (): Promise<number[]> =>
      (await elsewhere.query<{ n: number }>(undefined, sql`select n from kept order by n`)).map(({ n }) => n);
    const insert = (n: number) => sql`insert into kept (n) values (${n}) returning n`;
    const refused = (work: Promise<unknown>) =>
      work.then(
        () => undefined,
        (error: unknown) => error,
      );

    before(async () => {
      database = await createDatabase();
      db = opened('test');
      elsewhere = opened('elsewhere');
      await db.query(
        undefined,
        sql`create table kept (n int unique deferrable initially deferred, m int unique)`,
      );
    });
    beforeEach(() => db.query(undefined, sql`delete from kept`));
    after(async () => {
      await Promise.all([db.close(), elsewhere.close()]);
      await dropDatabase(database);
    });

    it('keeps nothing of what was asked together when one of them fails, or can not even be sent', async () => {
      await db.query(undefined, insert(1));
      const doubled = sql`insert into kept (n, m) values (2, 7), (3, 7)`;
      for (const fails of [doubled, unsendable])
        for (const order of [
          [fails, insert(4)],
          [insert(4), fails],
        ])
          for (const ending of ['query', 'conclude'] as const) {
            const error = await refused(
              db.transaction(undefined, (tx) =>
                Promise.all([tx.query(order[0]!), tx.query(insert(5)), tx[ending](order[1]!)]),
              ),
            );
            expect((error as Error).message, 'the first failure is what is told').to.match(
              /duplicate key|can not be sent/,
            );
            expect(await kept()).to.deep.equal([1]);
          }
      // The connection is as good as before.
      await db.transaction(undefined, (tx) => Promise.all([tx.query(insert(6)), tx.conclude(insert(7))]));
      expect(await kept()).to.deep.equal([1, 6, 7]);
    });

    it('tells what failed first, and not what failed because of it, however far from here it was asked', async () => {
      await db.query(undefined, sql`insert into kept (n, m) values (1, 7)`);
      const deep = async (ask: () => Promise<unknown>, levels: number): Promise<unknown> => {
        const answer = await (levels === 0 ? ask() : deep(ask, levels - 1));
        return answer;
      };
      for (const fails of [sql`insert into kept (n, m) values (2, 7)`, unsendable]) {
        const error = await refused(
          db.transaction(undefined, (tx) =>
            Promise.all([
              deep(() => tx.query(fails), 5),
              tx.query(insert(3)),
              deep(() => tx.query(insert(4)), 2),
            ]),
          ),
        );
        expect((error as Error).message).to.match(fails === unsendable ? /can not be sent/ : /duplicate key/);
      }
    });

    it('refuses what somebody still asks when it is over', async () => {
      const turn = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));
      let asked: Promise<unknown> | undefined;
      const error = await refused(
        db.transaction(undefined, async (tx) => {
          const slow = async (): Promise<void> => {
            await tx.query(insert(1));
            await turn();
            await tx.query(insert(2));
          };
          const quick = async (): Promise<never> => {
            await tx.query(insert(3));
            throw new Error('refused');
          };
          const whole = [quick(), slow()];
          asked = refused(whole[1]!);
          await Promise.all(whole);
        }),
      );
      expect((error as Error).message).to.equal('refused');
      expect(((await asked) as Error).message).to.equal('the transaction is over');
      expect(await kept()).to.deep.equal([]);
      let late: Promise<unknown> | undefined;
      await db.transaction(undefined, async (tx) => {
        await tx.query(insert(4));
        late = turn().then(() => refused(tx.query(insert(5))));
      });
      expect(((await late) as Error).message).to.equal('the transaction is over');
      expect(await kept()).to.deep.equal([4]);
    });

    it('is committed with its last statement; what is asked thereafter is another one', async () => {
      const late = await refused(
        db.transaction(undefined, async (tx) => {
          await tx.query(insert(1));
          expect(await kept()).to.deep.equal([]);
          expect(await tx.conclude(insert(2))).to.deep.equal([{ n: 2 }]);
          expect(await kept()).to.deep.equal([1, 2]);
          await tx.query(insert(3));
          throw new Error('late');
        }),
      );
      expect((late as Error).message).to.equal('late');
      expect(await kept()).to.deep.equal([1, 2]);
      await db.transaction(undefined, async (tx) => {
        await tx.conclude(insert(4));
        await tx.query(insert(5));
        await tx.query(insert(6));
      });
      expect(await kept()).to.deep.equal([1, 2, 4, 5, 6]);
    });

    it('of one statement is that statement', async () => {
      const done: string[] = [];
      await db.transaction(undefined, async (tx) => {
        tx.afterCommit(() => void done.push('told'));
        await tx.conclude(insert(1));
        expect(await kept()).to.deep.equal([1]);
        expect(done).to.deep.equal([]);
      });
      expect(done).to.deep.equal(['told']);
    });

    it('leaves nothing where its last statement fails, and its connection is as before', async () => {
      const twice = sql`insert into kept (m) values (1), (1)`;
      for (const before of [[], [insert(1)]]) {
        const error = await refused(
          db.transaction(undefined, async (tx) => {
            for (const statement of before) await tx.query(statement);
            await tx.conclude(twice);
          }),
        );
        expect(error).to.include({ code: '23505' });
        expect(await kept()).to.deep.equal([]);
        expect(await db.query(undefined, insert(9))).to.deep.equal([{ n: 9 }]);
        await db.query(undefined, sql`delete from kept`);
      }
    });

    it('leaves nothing where the commit fails that goes with it', async () => {
      for (const before of [[], [insert(1)]]) {
        const error = await refused(
          db.transaction(undefined, async (tx) => {
            for (const statement of before) await tx.query(statement);
            await tx.conclude(sql`insert into kept (n) values (7), (7)`);
          }),
        );
        expect(error).to.include({ code: '23505' });
        expect(await kept()).to.deep.equal([]);
      }
    });

    it('is not taken for committed where a statement of it failed that nobody minded', async () => {
      const error = await refused(
        db.transaction(undefined, async (tx) => {
          await tx.query(insert(1));
          await refused(tx.query(sql`select 1 / ${0}::int`));
          await tx.conclude(insert(2));
        }),
      );
      expect(error).to.be.instanceOf(Error).and.not.instanceOf(Problem);
      expect(await kept()).to.deep.equal([]);
    });

    it('answers a statement that its connection knows as it did the first time', async () => {
      const rows = (count: number) => sql`
        select n, case when n % 2 = 0 then n end as even, n::bigint as big, n / 2.0 as half, array[n, n + 1] as list, n > 1 as more,
          jsonb_build_object('n', n) as json, to_timestamp(n) as at, decode('00ff', 'hex') as bytes, null::text as nothing
        from generate_series(1, ${count}::int) n`;
      const first = await db.query(undefined, rows(3));
      expect(first).to.have.length(3);
      expect(first[1]).to.deep.include({ n: 2, even: 2, big: '2', list: [2, 3], more: true, json: { n: 2 } });
      expect(first[0]).to.deep.include({ even: null, nothing: null, at: new Date(1000) });
      expect(await db.query(undefined, rows(3))).to.deep.equal(first);
      expect(await db.query(undefined, rows(0))).to.deep.equal([]);
      const together = await db.transaction(undefined, (tx) =>
        Promise.all([tx.query(rows(1)), tx.query(rows(2)), tx.query(insert(1)), tx.query(rows(3))]),
      );
      expect(together).to.deep.equal([first.slice(0, 1), first.slice(0, 2), [{ n: 1 }], first]);
      expect(await kept()).to.deep.equal([1]);
    });
  });
