import { expect } from 'chai';
import pg from 'pg';
import { scoped } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';

describe('row-level security', () => {
  let database: TestDatabase;
  let owner: pg.Client;

  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, 'app-one');
    await insertBareApp(database, 'app-two');
    owner = new pg.Client({ ...database.connection, user: 'postgres' });
    await owner.connect();
  });
  after(async () => {
    await owner.end();
    await database.end();
  });

  const rows = async <Row extends pg.QueryResultRow>(text: string): Promise<Row[]> =>
    (await owner.query<Row>(text)).rows;

  it('is on and forced for every table that has an app_id', async () => {
    const bare =
      await rows(`select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id' and not a.attisdropped
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not (c.relrowsecurity and c.relforcerowsecurity)`);
    expect(bare).to.deep.equal([]);
  });

  it('has app_id lead every primary, unique and foreign key of such a table', async () => {
    const loose = await rows(`select i.indexrelid::regclass::text as index from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'app_id'
      where i.indisunique and i.indrelid::regclass::text not like 'pg_%' and i.indkey[0] <> a.attnum
        and i.indexrelid::regclass::text <> 'users_never_shared'`);
    expect(loose).to.deep.equal([]);
    const foreign =
      await rows(`select conname from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attname = 'app_id'
      where c.contype = 'f' and c.conkey[1] <> a.attnum`);
    expect(foreign).to.deep.equal([]);
  });

  it('gives the server role nothing it could get around it with', async () => {
    const roles = await rows<{ rolname: string }>(
      `select rolname from pg_roles where rolname like 'latchkey_%' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)`,
    );
    expect(roles).to.deep.equal([]);
    expect(
      await rows(
        `select 1 from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname in ('latchkey_server', 'latchkey_operator')`,
      ),
    ).to.deep.equal([]);
    expect(
      await rows(
        `select 1 from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname in ('latchkey_server', 'latchkey_operator')`,
      ),
    ).to.deep.equal([]);
  });

  it('has no security definer function and no view that would see with its owner’s eyes', async () => {
    expect(
      await rows(`select proname from pg_proc where prosecdef and pronamespace = 'public'::regnamespace`),
    ).to.deep.equal([]);
    expect(
      await rows(
        `select relname from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace and not coalesce('security_invoker=true' = any(reloptions), false)`,
      ),
    ).to.deep.equal([]);
  });

  it('shows an app its own rows and refuses to write another’s', async () => {
    await scoped(database.db, 'app-one').query(
      sql`insert into spent (app_id, kind, digest, expires_at) values ('app-one', 'code', 'x', now() + interval '1 hour')`,
    );
    expect(await scoped(database.db, 'app-two').query(sql`select * from spent`)).to.deep.equal([]);
    expect(await scoped(database.db, 'app-one').query(sql`select * from spent`)).to.have.length(1);
    let refused: unknown;
    await scoped(database.db, 'app-two')
      .query(sql`insert into spent (app_id, kind, digest, expires_at) values ('app-one', 'code', 'y', now())`)
      .catch((error: unknown) => {
        refused = error;
      });
    expect(String(refused)).to.match(/row-level security/);
    expect(await scoped(database.db, 'app-two').query(sql`delete from spent returning 1`)).to.deep.equal([]);
  });

  it('matches nothing when no app is set', async () => {
    expect(await database.db.query(undefined, sql`select * from apps`)).to.deep.equal([]);
    expect(await database.db.query(undefined, sql`select * from spent`)).to.deep.equal([]);
  });

  it('forgets the app at the end of each transaction, on every pooled connection', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        scoped(database.db, i % 2 ? 'app-one' : 'app-two').query(sql`select 1`),
      ),
    );
    const left = await Promise.all(
      Array.from({ length: 20 }, () =>
        database.db.query<{ app: string | null }>(
          undefined,
          sql`select nullif(current_setting('latchkey.app_id', true), '') as app`,
        ),
      ),
    );
    expect(left.flat().every((row) => row.app === null)).to.equal(true);
  });

  it('keeps the server away from tables that only the operator may read', async () => {
    let refused: unknown;
    await database.db.query('app-one', sql`select * from client_routes`).catch((error: unknown) => {
      refused = error;
    });
    expect(String(refused)).to.match(/permission denied/);
    await database.db
      .query('app-one', sql`update apps set name = 'mine' where app_id = 'app-one'`)
      .catch((error: unknown) => {
        refused = error;
      });
    expect(String(refused)).to.match(/permission denied/);
  });

  it('takes only an app_id for an app_id', async () => {
    let refused: unknown;
    await database.db.query("x'; drop table apps; --", sql`select 1`).catch((error: unknown) => {
      refused = error;
    });
    expect(String(refused)).to.match(/not an app_id/);
  });
});
