import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import * as oidc from 'openid-client';
import pg from 'pg';
import { Database } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { type Logger, silentLogger } from '../../src/telemetry/log.ts';
import { type Link, startLink } from '../drills/link.ts';
import { patiently } from '../drills/patience.ts';
import { makePostgres, ownedFolder, type PostgresServer, removeFolder } from '../drills/postgres-server.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, signedIn, type TestClient } from '../support/sign-in.ts';

/** Further than any test of where is read takes; and near enough to be waited for. */
const FAR = 3000;
const NEAR = 2;

type Line = { message: string } & Record<string, unknown>;

describe('a streaming standby that lists are read from', function () {
  this.timeout(300_000);
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-replica-'));
  const running: TestLatchkey[] = [];
  const lines: Line[] = [];
  let primary: PostgresServer;
  let standby: PostgresServer;
  let link: Link;
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let ada: string;
  let isPromoted = false;

  const url = (port: number, user = ''): string =>
    `postgres://${user && `${user}@`}127.0.0.1:${port}/latchkey`;
  const start = async (maxLag: number, replica = url(link.port)): Promise<TestLatchkey> => {
    const write = (fields: object, message: string): void => void lines.push({ message, ...fields });
    const log: Logger = { ...silentLogger, info: write, warn: write };
    const started = await startTestLatchkey({
      database: { host: '127.0.0.1', database: 'latchkey' },
      log,
      env: {
        DATABASE_URL: url(primary.port, 'latchkey_server'),
        DATABASE_MIGRATION_URL: url(primary.port, 'postgres'),
        DATABASE_OPERATOR_URL: url(primary.port, 'latchkey_operator'),
        DATABASE_REPLICA_URL: replica,
        DATABASE_REPLICA_MAX_LAG: String(maxLag),
      },
    });
    running.push(started);
    return started;
  };
  const metric = async (of: TestLatchkey, name: string): Promise<number> => {
    const text = await (await fetch(`${of.baseUrl}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1),
    );
  };
  const readThere = (of: TestLatchkey): Promise<number> =>
    metric(of, 'latchkey_list_reads_total{from="replica"}');
  const used = async (of: TestLatchkey, value: 0 | 1): Promise<void> =>
    patiently(
      `latchkey_replica_used is ${value}`,
      async () => (await metric(of, 'latchkey_replica_used')) === value,
    );
  const caughtUp = async (): Promise<void> => {
    const [row] = await primary.sql<{ at: string }>('select pg_current_wal_lsn()::text as at');
    await patiently(
      'the standby has read it all',
      async () =>
        (await standby.sql('select 1 where pg_last_wal_replay_lsn() >= $1::pg_lsn', [row!.at])).length === 1,
    );
  };
  const pause = async (): Promise<void> => {
    await standby.sql('select pg_wal_replay_pause()');
    await patiently(
      'the standby reads no more',
      async () =>
        (await standby.sql("select 1 where pg_get_wal_replay_pause_state() = 'paused'")).length === 1,
    );
  };
  const resume = (): Promise<unknown> => standby.sql('select pg_wal_replay_resume()');
  /** As if the last change through the Admin API were longer ago than the standby may be behind. */
  const forgetWrites = (): Promise<unknown> =>
    primary.sql("delete from ephemeral where key = 'admin-written'");
  const list = async (path: string, of = latchkey): Promise<any[]> => {
    const { status, body } = await of.admin('GET', path);
    expect(status, path).to.equal(200);
    return body.items;
  };
  const emails = async (of = latchkey): Promise<string[]> =>
    (await list('/apps/shop/users', of)).map(({ email }) => email as string).sort();
  /** As somebody who signs up: not by the Admin API. */
  const appears = (email: string, appId = 'shop'): Promise<unknown> =>
    primary.sql(
      `with u as (insert into users (app_id, user_id) values ($1, 'usr_' || md5($2)) returning app_id, user_id)
       insert into identifiers (app_id, kind, value, user_id, verified_at) select app_id, 'email', $2, user_id, now() from u`,
      [appId, email],
    );

  before(async () => {
    chmodSync(dir, 0o755);
    primary = await makePostgres(ownedFolder(join(dir, 'primary')));
    await primary.start();
    const client = new pg.Client({
      host: '127.0.0.1',
      port: primary.port,
      user: 'postgres',
      database: 'postgres',
    });
    await client.connect();
    await client.query('create database latchkey');
    await client.query('create database elsewhere');
    await client.end();
    standby = await primary.follow(join(dir, 'standby'));
    await standby.start();
    link = await startLink(standby.port);
    latchkey = await start(FAR);
    shop = await makeApp(latchkey, 'shop');
    await makeApp(latchkey, 'bank');
    ada = await makeUser(latchkey, 'shop', 'ada@example.com');
    await makeUser(latchkey, 'bank', 'bob@example.com');
    await caughtUp();
    await used(latchkey, 1);
  });
  afterEach(async () => {
    link.heal();
    if (!isPromoted) {
      await resume();
      await caughtUp();
    }
    await forgetWrites();
    for (const started of running.splice(1)) await started.stop();
  });
  after(async () => {
    for (const started of running) await started.stop();
    await link.stop();
    await standby.stop();
    await primary.stop();
    removeFolder(dir);
  });

  it('answers lists, searches and the trail from there, and single objects and addresses from the primary', async () => {
    await signedIn(latchkey, shop, { email: 'ada@example.com' });
    await forgetWrites();
    await caughtUp();
    const user = `/apps/shop/users/${ada}`;
    const lists = [
      '/apps',
      '/apps/shop/clients',
      '/apps/shop/users',
      '/apps/shop/users?q=a',
      `${user}/sessions`,
      `${user}/grants`,
    ];
    const before = await Promise.all(lists.map((path) => list(path)));
    const trail = await list('/apps/shop/audit-events');
    await pause();
    await makeApp(latchkey, 'later');
    const client = { name: 'Later', type: 'web', redirect_uris: ['http://localhost:1/cb'] };
    const made = await latchkey.admin('POST', '/apps/shop/clients', client);
    const anna = await makeUser(latchkey, 'shop', 'anna@example.com');
    await signedIn(
      latchkey,
      { ...shop },
      { email: 'ada@example.com', parameters: { prompt: 'login consent' } },
    );
    await forgetWrites();
    const reads = await readThere(latchkey);
    for (const [i, path] of lists.entries()) expect(await list(path), path).to.deep.equal(before[i]);
    expect(await list('/apps/shop/audit-events')).to.deep.equal(trail);
    expect(await readThere(latchkey)).to.equal(reads + lists.length + 1);
    for (const path of [
      '/apps/later',
      `/apps/shop/clients/${made.body.client_id}`,
      `/apps/shop/users/${anna}`,
    ])
      expect((await latchkey.admin('GET', path)).status, path).to.equal(200);
    expect(await list('/apps/shop/users?email=anna@example.com')).to.have.length(1);
    expect(await readThere(latchkey)).to.equal(reads + lists.length + 1);
    await resume();
    await caughtUp();
    for (const [i, path] of lists.entries())
      if (!path.endsWith('grants')) expect((await list(path)).length, path).to.equal(before[i]!.length + 1);
    expect((await list('/apps/shop/audit-events')).length).to.be.above(trail.length);
  });

  it('shows a change made with the Admin API in the next list, in every process and page by page', async () => {
    const other = await start(FAR);
    await used(other, 1);
    await forgetWrites();
    await pause();
    await makeUser(latchkey, 'shop', 'carl@example.com');
    expect(await emails()).to.include('carl@example.com');
    expect(await emails(other)).to.include('carl@example.com');
    // What happens in one app leaves the lists of others where they were.
    const reads = await readThere(other);
    expect((await list('/apps/bank/users', other)).length).to.equal(1);
    expect(await readThere(other)).to.equal(reads + 1);
    await makeApp(latchkey, 'newest');
    expect((await list('/apps', other)).map(({ app_id }) => app_id)).to.include('newest');
    expect(await list('/apps/newest/clients', other)).to.have.length(1);
    expect((await latchkey.admin('DELETE', '/apps/newest?confirm=newest')).status).to.equal(204);
    expect((await list('/apps', other)).map(({ app_id }) => app_id)).to.not.include('newest');

    await appears('dora@example.com');
    const { body: first } = await latchkey.admin('GET', '/apps/shop/users?limit=1');
    await forgetWrites();
    expect(await emails()).to.not.include('dora@example.com');
    const rest = await latchkey.admin('GET', `/apps/shop/users?limit=200&after=${first.next}`);
    const seen = [...first.items, ...rest.body.items].map(({ email }) => email as string);
    expect(seen, 'a walk that began at the primary stays there').to.include.members([
      'carl@example.com',
      'dora@example.com',
    ]);
    expect(new Set(seen).size).to.equal(seen.length);
    const spoilt = await latchkey.admin('GET', '/apps/shop/users?after=p.p.AAAA');
    expect(spoilt.status).to.equal(400);
  });

  it('decides nothing with what is read there', async () => {
    await forgetWrites();
    await pause();
    const eve = await makeUser(latchkey, 'shop', 'eve@example.com');
    await forgetWrites();
    const { configuration, tokens } = await signedIn(latchkey, shop, { email: 'eve@example.com' });
    const renewed = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
    expect((await oidc.fetchUserInfo(configuration, renewed.access_token, eve)).sub).to.equal(eve);
    expect((await latchkey.admin('DELETE', `/apps/shop/users/${eve}/sessions`)).status).to.equal(204);
    const refused = await oidc
      .refreshTokenGrant(configuration, renewed.refresh_token!)
      .catch((error: oidc.ResponseBodyError) => error.error);
    expect(refused).to.equal('invalid_grant');
    expect((await latchkey.admin('DELETE', `/apps/shop/users/${eve}`)).status).to.equal(204);
    await forgetWrites();
    expect((await latchkey.admin('GET', `/apps/shop/users/${eve}/sessions`)).status).to.equal(404);
  });

  it('keeps apps apart there by row-level security, whatever asks at the same time', async () => {
    const db = new Database({
      connection: { host: '127.0.0.1', port: standby.port, user: 'latchkey_server', database: 'latchkey' },
      applicationName: 'apart',
      poolSize: 3,
      log: () => {},
    });
    try {
      const look = async (appId: string | undefined, seen: string[]): Promise<void> => {
        const rows = await db.query<{ app_id: string }>(appId, sql`select distinct app_id from users`);
        expect(rows.map(({ app_id }) => app_id)).to.deep.equal(seen);
      };
      const apps = [
        ['shop', ['shop']],
        ['bank', ['bank']],
        [undefined, []],
        ['nobody', []],
      ] as const;
      await Promise.all(Array.from({ length: 200 }, (_, i) => look(apps[i % 4]![0], [...apps[i % 4]![1]])));
      const refused = await db.query('shop', sql`delete from users`).catch((error: Error) => error);
      expect(inspect(refused)).to.include('read-only transaction');
    } finally {
      await db.close();
    }
    await forgetWrites();
    const reads = await readThere(latchkey);
    const ids = async (appId: string): Promise<string[]> =>
      (await list(`/apps/${appId}/users?limit=200`)).map(({ user_id }) => user_id as string);
    const [ofBank] = await ids('bank');
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) =>
        i % 2
          ? expect(await ids('bank')).to.deep.equal([ofBank])
          : expect(await ids('shop'))
              .to.include(ada)
              .and.not.include(ofBank),
      ),
    );
    expect(await readThere(latchkey)).to.equal(reads + 41);
    for (const what of ['sessions', 'grants'])
      expect((await latchkey.admin('GET', `/apps/bank/users/${ada}/${what}`)).status).to.equal(404);
    const events = await list('/apps/bank/audit-events?limit=200');
    expect(JSON.stringify(events)).to.not.include(ada);
  });

  it('asks the primary while it is further behind than allowed, and says so', async () => {
    const near = await start(NEAR);
    await used(near, 1);
    lines.length = 0;
    await pause();
    await appears('fred@example.com');
    await used(near, 0);
    expect(await emails(near)).to.include('fred@example.com');
    expect(await metric(near, 'latchkey_replica_lag_seconds')).to.be.above(NEAR);
    expect((await fetch(`${near.baseUrl}/readyz`)).status).to.equal(200);
    const said = (): Line | undefined =>
      lines.find(({ message }) => message.startsWith('the replica is not used'));
    await patiently('it is said', () => said() !== undefined);
    expect(said()).to.include({ reason: 'lagging', max_lag_seconds: NEAR });
    await resume();
    await used(near, 1);
    expect(lines.map(({ message }) => message)).to.include('lists are read from the replica');
    expect(await emails(near)).to.include('fred@example.com');
  });

  for (const [how, weather] of [
    ['refuses every connection', { isRefusing: true }],
    ['swallows everything', { isBlackHole: true }],
  ] as const)
    it(`answers when the standby ${how}, and stays ready`, async () => {
      await appears(`${how.replaceAll(' ', '-')}@example.com`);
      await forgetWrites();
      link.set(weather);
      if (weather.isRefusing) link.reset();
      expect(await emails()).to.include(`${how.replaceAll(' ', '-')}@example.com`);
      expect((await fetch(`${latchkey.baseUrl}/readyz`)).status).to.equal(200);
      await used(latchkey, 0);
      expect(lines.filter(({ reason }) => reason === 'unreachable')).to.not.deep.equal([]);
      const without = await start(FAR);
      expect(await emails(without)).to.include(`${how.replaceAll(' ', '-')}@example.com`);
      link.heal();
      await Promise.all([used(latchkey, 1), used(without, 1)]);
      const reads = await readThere(without);
      await emails(without);
      expect(await readThere(without)).to.equal(reads + 1);
    });

  it('asks nothing that is no standby of its primary', async () => {
    for (const [replica, reason] of [
      [url(primary.port), 'not a standby'],
      [`postgres://127.0.0.1:${standby.port}/elsewhere`, 'another database'],
    ] as const) {
      lines.length = 0;
      const wrong = await start(FAR, replica);
      await patiently('it is said', () => lines.some((line) => line['reason'] === reason));
      await emails(wrong);
      expect(await readThere(wrong)).to.equal(0);
    }
  });

  it('asks it no more once it is a primary itself', async () => {
    await standby.sql('select pg_promote()');
    isPromoted = true;
    lines.length = 0;
    await used(latchkey, 0);
    await appears('gina@example.com');
    expect(await emails()).to.include('gina@example.com');
    expect(lines.map(({ reason }) => reason)).to.include('not a standby');
  });
});
