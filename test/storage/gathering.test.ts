import { expect } from 'chai';
import pg from 'pg';
import { withDeadline, withoutDeadline } from '../../src/kernel/deadline.ts';
import { Database, writingTogether } from '../../src/storage/database.ts';
import { spendBesideOthers } from '../../src/storage/spent.ts';
import { each, sql, type Statement } from '../../src/storage/sql.ts';
import { type Connection, createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

type Seen = { nr: number; app: string; key: string; note: string };

describe('statements that ask the same about others', () => {
  let database: Connection;
  let db: Database;
  let owner: pg.Client;
  let asked: Statement[] = [];
  before(async () => {
    database = await createDatabase();
    const connection = { ...database, user: 'latchkey_server' };
    const observe = (statement: Statement): void => void asked.push(statement);
    db = new Database({
      connection,
      applicationName: 'test',
      poolSize: 6,
      ofApps: true,
      observe,
      log: () => {},
    });
    owner = new pg.Client({ ...database, user: 'postgres' });
    await owner.connect();
    await owner.query(`create table things (app_id text, key text, value text, primary key (app_id, key))`);
    await owner.query(`grant select, insert, update on things to latchkey_server`);
  });
  beforeEach(async () => {
    asked = [];
    await owner.query('truncate things');
  });
  after(async () => {
    await db.close();
    await owner.end();
    await dropDatabase(database);
  });

  const seeing = (key: string, note = ''): Statement =>
    sql`select asked.nr, current_setting('latchkey.app_id') as app, asked.key, ${note}::text as note
        from unnest(${each(key)}::text[]) with ordinality as asked(key, nr) where asked.key <> 'nothing'`;
  const look = (appId: string, key: string, note?: string): Promise<Seen[]> =>
    db.lookUp<Seen>(appId, seeing(key, note));
  const adding = (key: string): Statement =>
    sql`with asked as (select * from unnest(${each(key)}::text[]) with ordinality as asked(key, nr)),
          added as (insert into things (app_id, key) select current_setting('latchkey.app_id'), key from asked returning key)
        select nr from asked join added using (key)`;
  const add = (appId: string, key: string) => db.writeTogether<{ nr: string }>(appId, adding(key));
  const failed = (work: Promise<unknown>): Promise<any> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );
  const things = async (): Promise<string[]> =>
    (await owner.query('select app_id, key from things order by 1, 2')).rows.map(
      ({ app_id: appId, key }) => `${appId} ${key}`,
    );

  it('are one at one turn, and each is told of its own rows alone', async () => {
    const keys = ['a', 'nothing', 'b', 'a', 'c'];
    const seen = await Promise.all(keys.map((key) => look('shop', key)));
    expect(asked.map(({ values }) => values)).to.deep.equal([['', keys]]);
    for (const [at, key] of keys.entries())
      expect(
        seen[at]!.map((row) => row.key),
        key,
      ).to.deep.equal(key === 'nothing' ? [] : [key]);
  });

  it('are not one with those that ask something else, be the values alike', async () => {
    const others = (key: string): Statement =>
      sql`select asked.nr, ${''}::text || 'other' as note from unnest(${each(key)}::text[]) with ordinality as asked(key, nr)`;
    const seen = await Promise.all([
      look('shop', 'a'),
      db.lookUp<Seen>('shop', others('a')),
      look('shop', 'b'),
    ]);
    expect(seen.map(([row]) => row!.note)).to.deep.equal(['', 'other', '']);
    expect(asked.length).to.equal(2);
  });

  it('are one for one app and for what else they ask, however many apps ask at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      asked = [];
      const who = Array.from({ length: 60 }, (_, at) => ({
        app: `app-${(at * 7 + round) % 13}`,
        key: `key-${at}`,
        note: at % 2 === 0 ? 'even' : 'odd',
      }));
      const seen = await Promise.all(who.map(({ app, key, note }) => look(app, key, note)));
      expect(seen.map(([row]) => ({ app: row!.app, key: row!.key, note: row!.note }))).to.deep.equal(who);
      expect(asked.length).to.equal(26);
    }
  });

  it('are eight in one, and further ones another', async () => {
    const keys = Array.from({ length: 19 }, (_, at) => `key-${at}`);
    const seen = await Promise.all(keys.map((key) => look('shop', key)));
    expect(seen.map(([row]) => row!.key)).to.deep.equal(keys);
    expect(asked.map(({ values }) => (values[1] as string[]).length)).to.deep.equal([8, 8, 3]);
  });

  it('keep text as it is, whatever stands in it', async () => {
    const texts = ['', 'NULL', '{}', '{"a": [1, "\\"", "\\\\"]}', "'; drop table things; --", 'é\n\t,"', '❄'];
    const seen = await Promise.all(texts.map((text) => look('shop', text)));
    expect(seen.map(([row]) => row!.key)).to.deep.equal(texts);
    const none = await db.lookUp<{ is_null: boolean }>(
      'shop',
      sql`select nr, key is null as is_null from unnest(${each(null)}::text[]) with ordinality as a(key, nr)`,
    );
    expect(none[0]!.is_null).to.equal(true);
  });

  it('are planned once, for a list of any length', async () => {
    const backend = async (): Promise<void> => {
      const [plans] = await db.lookUp<{ generic: number; custom: number }>(
        'shop',
        sql`select generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements where name = ${seeing('x').name}`,
      );
      expect(plans!.generic).to.be.greaterThan(0);
      expect(plans!.custom).to.equal(0);
    };
    for (const count of [1, 3, 8, 1, 2, 5, 1])
      await Promise.all(Array.from({ length: count }, (_, at) => look('shop', `key-${at}`)));
    await backend();
  });

  it('do not fail with one that fails among them, and none is done twice', async () => {
    await add('shop', 'b');
    const outcomes = await Promise.all(
      ['a', 'b', 'c', 'nul\u0000'].map((key) => failed(add('shop', key)).then((error) => error?.code)),
    );
    expect(outcomes).to.deep.equal([undefined, '23505', undefined, 'request.unstorable_text']);
    expect(await things()).to.deep.equal(['shop a', 'shop b', 'shop c']);
  });

  it('are told when Postgres is away, and are not asked again', async () => {
    await owner.query('begin');
    await owner.query('lock table things in exclusive mode');
    const adds = ['a', 'b', 'c'].map((key) => failed(add('shop', key)));
    for (let ended = 0; ended === 0; await new Promise((resolve) => setTimeout(resolve, 10)))
      ended =
        (
          await owner.query(
            `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          )
        ).rowCount ?? 0;
    for (const error of await Promise.all(adds)) expect(error).to.include({ kind: 'unavailable' });
    await owner.query('rollback');
    expect(asked.length).to.equal(1);
    expect(await things()).to.deep.equal([]);
  });

  it('wait for no longer than whoever among them has least time; who has too little asks alone', async () => {
    await owner.query('begin');
    await owner.query('lock table things in exclusive mode');
    const errors = await Promise.all([
      withDeadline(60_000, () => failed(add('shop', 'a'))),
      withDeadline(1500, () => failed(add('shop', 'b'))),
      withDeadline(60_000, () => failed(add('shop', 'c'))),
      withDeadline(300, () => failed(add('shop', 'd'))),
    ]);
    await owner.query('rollback');
    // Given up here, and not by Postgres, which has ten seconds.
    for (const error of errors) expect(error.cause.cause.message).to.equal('Query read timeout');
    expect(asked.map(({ values }) => values)).to.have.deep.members([[['a', 'b', 'c']], [['d']]]);
    asked = [];
    await Promise.all([look('shop', 'a'), withDeadline(600, () => look('shop', 'b')), look('shop', 'c')]);
    expect(asked.map(({ values }) => values)).to.have.deep.members([
      ['', ['a', 'c']],
      ['', ['b']],
    ]);
  });

  it('have their own time, not that of others who asked something else in the same turn', async () => {
    await owner.query('begin');
    await owner.query('lock table things in exclusive mode');
    const hurried = withDeadline(1200, () => failed(add('shop', 'a')));
    const patient = withoutDeadline(() => failed(add('forum', 'b')));
    expect((await hurried).cause.cause.message).to.equal('Query read timeout');
    await owner.query('rollback');
    expect(await patient).to.equal(undefined);
  });

  it('of two who spend the same in another order, one spends each, and neither waits for the other in turn', async () => {
    const second = new Database({
      connection: { ...database, user: 'latchkey_server' },
      applicationName: 'test',
      ofApps: true,
      log: () => {},
    });
    try {
      for (let round = 0; round < 60; round += 1) {
        const digests = Array.from({ length: 8 }, (_, at) => `${round} ${(at * 5 + round) % 8}`);
        const spent = (by: Database, all: string[]): Promise<boolean[]> =>
          Promise.all(
            all.map((digest) =>
              spendBesideOthers(writingTogether(by, 'shop'), {
                appId: 'shop',
                kind: 'code',
                digest,
                ttlSeconds: 60,
              }),
            ),
          );
        const [here, there] = await Promise.all([spent(db, digests), spent(second, digests.toReversed())]);
        expect(here.map((won, at) => won !== there.toReversed()[at])).to.deep.equal(Array(8).fill(true));
      }
    } finally {
      await second.close();
    }
  });
});
