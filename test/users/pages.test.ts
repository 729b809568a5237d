import { expect } from 'chai';
import pg from 'pg';
import { type Queryable, scoped } from '../../src/storage/database.ts';
import type { Statement } from '../../src/storage/sql.ts';
import { listUsers, usersByEmailPrefix } from '../../src/users/store.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';

const PEOPLE = 4000;
const APP = 'crowd';
const plain = (text: string): Statement => ({ name: '', text, values: [] });

type Node = { 'Actual Rows': number; 'Actual Loops': number; Plans?: Node[] };
/** Rows that the node which had most of them handed on, all loops together. */
const mostRows = (node: Node): number =>
  Math.max(node['Actual Rows'] * node['Actual Loops'], ...(node.Plans ?? []).map(mostRows));

async function analyze({ connection }: TestDatabase): Promise<void> {
  const owner = new pg.Client({ ...connection, user: 'postgres' });
  await owner.connect();
  await owner.query('analyze');
  await owner.end();
}

describe('a page of people', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, APP);
    await database.operatorDb.transaction(undefined, async (tx) => {
      const people = `select n, 'usr_' || lpad(to_hex(n), 32, '0') as id from generate_series(1, ${PEOPLE}) n`;
      await tx.query(plain(`insert into users (app_id, user_id) select '${APP}', id from (${people}) p`));
      for (const [kind, value] of [
        ['email', `'person' || n || '@example.com'`],
        ['phone', `'+4930' || (1000000 + n)`],
      ])
        await tx.query(
          plain(
            `insert into identifiers (app_id, kind, value, user_id) select '${APP}', '${kind}', ${value}, id from (${people}) p`,
          ),
        );
    });
  });
  after(() => database.end());

  /** Whatever Postgres takes the app and the place to be: the plan that a connection keeps after five requests. */
  async function rowsRead(page: (q: Queryable) => Promise<unknown[]>): Promise<number> {
    return database.db.transaction(APP, async (tx) => {
      let sent: Statement | undefined;
      const found = await page({ query: (statement) => tx.query((sent = statement)) });
      expect(found).to.have.length(20);
      const { text, values } = sent!;
      await tx.query(plain('set local plan_cache_mode = force_generic_plan'));
      await tx.query(plain(`prepare page as ${text}`));
      const given = values.map((value) => (typeof value === 'number' ? value : `'${String(value)}'`));
      const [row] = await tx.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
        plain(`explain (analyze, format json) execute page(${given.join(', ')})`),
      );
      await tx.query(plain('deallocate page'));
      return mostRows(row!['QUERY PLAN'][0].Plan);
    });
  }
  const middle = `usr_${(PEOPLE / 2).toString(16).padStart(32, '0')}`;

  for (const state of ['without statistics', 'with statistics']) {
    it(`reads its own people and no others, ${state}`, async () => {
      if (state === 'with statistics') await analyze(database);
      expect(await rowsRead((q) => listUsers(q, APP, { limit: 20, after: middle }))).to.be.at.most(40);
      const prefix = 'person';
      const after = 'person2000@example.com';
      expect(await rowsRead((q) => usersByEmailPrefix(q, APP, { prefix, limit: 20 }))).to.be.at.most(40);
      expect(await rowsRead((q) => usersByEmailPrefix(q, APP, { prefix, limit: 20, after }))).to.be.at.most(
        40,
      );
    });
  }

  it('is of the app that asks', async () => {
    expect(await listUsers(scoped(database.db, 'other'), APP, { limit: 20 })).to.have.length(0);
  });
});
