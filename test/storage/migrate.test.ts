import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { migrate } from '../../src/storage/migrate.ts';
import { assertServerRole, ensureRoles } from '../../src/storage/roles.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/servers.ts';
import { migrationsDir } from '../support/stores.ts';

const INDEX_OF_0015 =
  'create index concurrently audit_events_of_user on audit_events (app_id, user_id, event_id desc) where user_id is not null';

describe('migrating', () => {
  let postgres: PrivatePostgres;
  let admin: pg.Client;
  let databases = 0;

  before(async () => {
    postgres = await startPrivatePostgres();
    admin = new pg.Client({ host: postgres.host, user: 'postgres', database: 'postgres' });
    await admin.connect();
  });
  after(async () => {
    await admin.end();
    await postgres.end();
  });

  const emptyDatabase = async (owner: string): Promise<pg.ClientConfig> => {
    databases += 1;
    const database = `m${databases}`;
    await admin.query(`create database ${database} owner ${owner}`);
    return { host: postgres.host, database, user: owner };
  };
  const run = (
    connection: pg.ClientConfig,
    dir = migrationsDir,
    names = ['latchkey_server', 'latchkey_operator'],
  ): Promise<string[]> =>
    migrate({
      connection,
      migrationsDir: dir,
      server: { user: names[0]!, password: 'one' },
      operator: { user: names[1]!, password: 'two' },
      log: () => {},
    });
  const failureOf = async (work: Promise<unknown>): Promise<string> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return [error, (error as { cause?: unknown } | undefined)?.cause].map(String).join(' because ');
  };

  it('makes the roles when the owner may, applies every file once, and does nothing the second time', async () => {
    await admin.query('create role owner_one login createrole');
    const connection = await emptyDatabase('owner_one');
    expect(await run(connection)).to.deep.equal(readdirSync(migrationsDir).sort());
    expect(await run(connection)).to.deep.equal([]);
    await assertServerRole({ ...connection, user: 'latchkey_server' });
  });

  it('makes the roles once when several databases of one server are made ready at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const login = (name: string) => ({ user: `race_${round}_${name}`, password: 'a password' });
      const roles = { server: login('server'), operator: login('operator') };
      const clients = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const client = new pg.Client({ host: postgres.host, user: 'postgres', database: 'postgres' });
          await client.connect();
          return client;
        }),
      );
      try {
        await Promise.all(clients.map((client) => ensureRoles(client, roles)));
      } finally {
        await Promise.all(clients.map((client) => client.end()));
        for (const { user } of [roles.server, roles.operator])
          await admin.query(`drop role if exists ${user}`);
      }
    }
  });

  it('uses roles that somebody else made when the owner may not make any', async () => {
    await admin.query('create role owner_two login');
    const connection = await emptyDatabase('owner_two');
    expect(await run(connection)).to.not.deep.equal([]);
  });

  it('says which role is missing when the owner may not make it', async () => {
    await admin.query('create role owner_three login');
    const connection = await emptyDatabase('owner_three');
    expect(await failureOf(run(connection, migrationsDir, ['someone_else', 'latchkey_operator']))).to.match(
      /someone_else is missing/,
    );
  });

  it('lets a login with another name inherit the rights without becoming the role', async () => {
    const connection = await emptyDatabase('owner_one');
    await run(connection, migrationsDir, ['shop_server', 'shop_operator']);
    await assertServerRole({ ...connection, user: 'shop_server' });
    const client = new pg.Client({ ...connection, user: 'shop_server' });
    await client.connect();
    expect((await client.query('select * from spent')).rows).to.deep.equal([]);
    expect(await failureOf(client.query('set role latchkey_operator'))).to.match(/permission denied/);
    expect(await failureOf(client.query('select * from client_routes'))).to.match(/permission denied/);
    await client.end();
  });

  it('lets several processes start at once', async () => {
    const connection = await emptyDatabase('owner_one');
    const applied = await Promise.all([run(connection), run(connection), run(connection)]);
    expect(applied.filter((names) => names.length > 0)).to.have.length(1);
  });

  it('stops before a database that is newer, and before a migration that was changed afterwards', async () => {
    const connection = await emptyDatabase('owner_one');
    const dir = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
    for (const name of readdirSync(migrationsDir)) copyFileSync(join(migrationsDir, name), join(dir, name));
    writeFileSync(join(dir, '9999_next.sql'), 'select 1;');
    await run(connection, dir);
    expect(await failureOf(run(connection))).to.match(/newer than this program: it has 9999_next.sql/);
    writeFileSync(join(dir, '9999_next.sql'), 'select 2;');
    expect(await failureOf(run(connection, dir))).to.match(/was changed after it had been applied/);
    rmSync(dir, { recursive: true });
  });

  it('takes an index that the operator has built beforehand as it is', async () => {
    const connection = await emptyDatabase('owner_one');
    const before = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
    for (const name of readdirSync(migrationsDir).filter((one) => one < '0015'))
      copyFileSync(join(migrationsDir, name), join(before, name));
    await run(connection, before);
    const client = new pg.Client({ ...connection });
    await client.connect();
    const idOf = async () =>
      (await client.query("select to_regclass('audit_events_of_user')::oid as id")).rows[0].id;
    expect(await idOf()).to.equal(null);
    await client.query(INDEX_OF_0015);
    const built = await idOf();
    await run(connection);
    expect(await idOf()).to.equal(built);
    await client.end();
    rmSync(before, { recursive: true });
  });

  it('closes the connections of a program of the first release, as an owner that made its role, and keeps no right of it', async () => {
    const connection = await emptyDatabase('owner_one');
    const names = ['first_server', 'first_operator'];
    const before = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
    for (const name of readdirSync(migrationsDir).filter((one) => one < '0013'))
      copyFileSync(join(migrationsDir, name), join(before, name));
    await run(connection, before, names);
    rmSync(before, { recursive: true });
    const owner = new pg.Client(connection);
    await owner.connect();
    await owner.query('alter table schema_migrations drop column serves');
    const served = new pg.Client({ ...connection, user: 'first_server', application_name: 'latchkey' });
    await served.connect();
    await served.query('select 1');
    const fresh = new pg.Client({ ...connection, user: 'first_server', application_name: 'latchkey' });
    await fresh.connect();
    const closed = new Promise((resolve) => served.on('error', resolve));
    await run(connection, migrationsDir, names);
    expect(String(await closed)).to.match(/terminat/);
    // Asked nothing so far: 0.1.0 may not have heard yet that it is open, and would end with it.
    expect((await fresh.query('select 1 as alive')).rows).to.deep.equal([{ alive: 1 }]);
    await fresh.end();
    const { rows } = await owner.query("select pg_has_role('first_server', 'usage') as left");
    expect(rows).to.deep.equal([{ left: false }]);
    await owner.end();
  });

  it('leaves nothing of a migration that fails', async () => {
    const connection = await emptyDatabase('owner_one');
    const dir = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
    writeFileSync(join(dir, '0001_half.sql'), 'create table half (a int); select 1 / 0;');
    expect(await failureOf(run(connection, dir))).to.match(/0001_half.sql failed and was rolled back/);
    const client = new pg.Client({ ...connection });
    await client.connect();
    expect((await client.query("select to_regclass('half') as half")).rows[0].half).to.equal(null);
    await client.end();
    rmSync(dir, { recursive: true });
  });

  it('refuses to serve as a role that owns tables or bypasses row-level security', async () => {
    const connection = await emptyDatabase('owner_one');
    await run(connection);
    expect(await failureOf(assertServerRole(connection))).to.match(/owns tables/);
    expect(await failureOf(assertServerRole({ ...connection, user: 'postgres' }))).to.match(
      /bypass row-level security/,
    );
  });
});
