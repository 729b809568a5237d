import { expect } from 'chai';
import pg from 'pg';
import { withDeadline } from '../../src/kernel/deadline.ts';
import { Database } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { type Connection, createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

type Seen = { app: string | null; backend: number };

describe('lookups that share a connection', () => {
  let database: Connection;
  let db: Database;
  let owner: pg.Client;
  before(async () => {
    database = await createDatabase();
    const connection = { ...database, user: 'latchkey_server' };
    db = new Database({ connection, applicationName: 'test', poolSize: 6, ofApps: true, log: () => {} });
    owner = new pg.Client({ ...database, user: 'postgres' });
    await owner.connect();
  });
  after(async () => {
    await db.close();
    await owner.end();
    await dropDatabase(database);
  });

  const look = async (appId: string | undefined): Promise<Seen> =>
    (
      await db.lookUp<Seen>(
        appId,
        sql`select nullif(current_setting('latchkey.app_id', true), '') as app, pg_backend_pid() as backend`,
      )
    )[0]!;
  const refused = (work: Promise<unknown>): Promise<any> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('are each in the name of their own app, however many are on their way at once, and of none after them', async () => {
    for (let round = 0; round < 20; round += 1) {
      const apps = Array.from({ length: 60 }, (_, at) => `app-${(at * 7 + round) % 13}`);
      const seen = await Promise.all(apps.map(look));
      expect(seen.map(({ app }) => app)).to.deep.equal(apps);
      expect((await look(undefined)).app).to.equal(null);
    }
  });

  it('are eight on one connection, and further ones on others', async () => {
    const backends = async (count: number): Promise<number> => {
      const seen = await Promise.all(Array.from({ length: count }, () => look('shop')));
      return new Set(seen.map(({ backend }) => backend)).size;
    };
    expect(await backends(8)).to.equal(1);
    expect(await backends(9)).to.equal(2);
    expect(await backends(24)).to.equal(3);
  });

  it('do not fail with one that fails among them', async () => {
    const [first, failed, last] = await Promise.all([
      look('shop'),
      refused(db.lookUp('shop', sql`select 1 / ${0}::int`)),
      look('forum'),
    ]);
    expect(failed.code).to.equal('22012');
    expect([first.app, last.app]).to.deep.equal(['shop', 'forum']);
    expect(first.backend).to.equal(last.backend);
  });

  it('are told when their connection is lost, and the next ones take another', async () => {
    const { backend } = await look('shop');
    const slow = Array.from({ length: 4 }, () => refused(db.lookUp('shop', sql`select pg_sleep(30)`)));
    // The first of them runs; the others wait behind it.
    for (let ended = 0; ended === 0; await new Promise((resolve) => setTimeout(resolve, 10))) {
      const { rowCount } = await owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and state = 'active' and query like 'select pg_sleep%'`,
      );
      ended = rowCount ?? 0;
    }
    for (const error of await Promise.all(slow)) expect(error).to.include({ kind: 'unavailable' });
    expect((await look('shop')).backend).not.to.equal(backend);
  });

  it('harm no other when a request runs out of time: whoever has little left asks alone', async () => {
    const [late, seen] = await Promise.all([
      withDeadline(300, () => refused(db.lookUp('shop', sql`select pg_sleep(600)`))),
      withDeadline(60_000, () => refused(db.lookUp('shop', sql`select pg_sleep(1)`))),
    ]);
    expect(late).to.include({ kind: 'unavailable' });
    expect(seen).to.equal(undefined);
  });

  it('are given up with one that takes longer than its request has, and not before', async () => {
    const [late, behind] = await Promise.all([
      withDeadline(1200, () => refused(db.lookUp('shop', sql`select pg_sleep(600)`))),
      withDeadline(60_000, () => refused(db.lookUp('shop', sql`select 1`))),
    ]);
    for (const error of [late, behind]) expect(error).to.include({ kind: 'unavailable' });
    expect((await look('shop')).app).to.equal('shop');
  });
});
