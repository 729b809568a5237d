import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { enqueueJob } from '../../src/delivery/jobs/enqueue.ts';
import { fingerprintOf } from '../../src/kernel/secret.ts';
import { openSeed, sealSeed } from '../../src/sign-in/totp/one-time-code.ts';
import { putTotp, totpOf } from '../../src/users/totp/store.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import {
  authorizationRequest,
  makeApp,
  makeUser,
  REDIRECT,
  signedIn,
  type TestClient,
} from '../support/sign-in.ts';
import { post, refresh } from '../support/token-calls.ts';

const entry = new URL('../../bin/latchkey.mjs', import.meta.url).pathname;

describe('latchkey keys, beside a server that runs', function () {
  this.timeout(120_000);
  const [older, newer] = [randomBytes(32), randomBytes(32)];
  const listOf = (...keys: Buffer[]) => keys.map((key) => key.toString('base64')).join(',');
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let latchkey: TestLatchkey;
  let client: TestClient;

  const start = async (keys: string) => {
    latchkey = await startTestLatchkey({
      database,
      env: {
        ENCRYPTION_KEYS: keys,
        ...(latchkey ? { BASE_URL: latchkey.baseUrl, PORT: portOf(latchkey) } : {}),
      },
    });
  };
  const subjectAt = async (at: TestClient) =>
    (await signedIn(latchkey, at, { email: 'ada@example.com', kind: 'own' })).tokens.claims()!.sub;
  const portOf = (one: TestLatchkey) => new URL(one.baseUrl).port;

  async function run(
    keys: string,
    ...args: string[]
  ): Promise<{ code: number | null; out: string; err: string }> {
    const urlOf = (user: string): string =>
      `postgres://${user}@localhost/${database.database}?host=${encodeURIComponent(database.host)}`;
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: tmpdir(),
      env: {
        PATH: process.env['PATH']!,
        BASE_URL: latchkey.baseUrl,
        DATABASE_URL: urlOf('latchkey_server'),
        DATABASE_MIGRATION_URL: urlOf('postgres'),
        DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
        ENCRYPTION_KEYS: keys,
        ADMIN_API_KEY: 'a-key-that-no-command-needs-0123456789',
      },
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (data) => (said.out += String(data)));
    child.stderr.on('data', (data) => (said.err += String(data)));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, ...said };
  }

  before(async () => {
    database = await createDatabase();
    await start(listOf(older));
    client = await makeApp(latchkey, 'shop', { settings: { signing_algorithm: 'ES256' } });
    await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(async () => {
    await latchkey.stop();
    await dropDatabase(database);
  });

  it('rotates the keys of an app and of the shared issuer, and lists them', async () => {
    const next = await run(listOf(older), 'keys', 'rotate', '--app', 'shop', '--json');
    expect(next).to.include({ code: 0, err: '' });
    const key = JSON.parse(next.out) as { kid: string; status: string; algorithm: string };
    expect(key).to.include({ status: 'next', algorithm: 'ES256' });
    const served = (await latchkey.admin('GET', '/apps/shop/keys')).body.items;
    expect(served.map((one: { kid: string }) => one.kid)).to.include(key.kid);
    const signing = served.find((one: { status: string }) => one.status === 'signing').kid;
    const lost = await run(listOf(older), 'keys', 'rotate', '--app', 'shop', '--compromised', signing);
    expect(lost.out).to.equal(`${key.kid} (ES256) signs now.\n`);
    const shared = await run(listOf(older), 'keys', 'rotate', '--algorithm', 'EdDSA');
    expect(shared.out).to.match(/^key_\S+ \(EdDSA\) is published and signs from 2\S+ on\.\n$/);
    const listed = await run(listOf(older), 'keys', 'list', '--json');
    expect(JSON.parse(listed.out).map((one: { status: string }) => one.status)).to.deep.equal([
      'next',
      'signing',
    ]);
    const [row] = await latchkey.sql(
      "select actor_type, actor_id from audit_events where app_id = 'console' and type = 'deployment_key.rotated'",
    );
    expect(row).to.deep.equal({ actor_type: 'operator', actor_id: 'command line' });
  });

  it('says what it can not do, with an exit code', async () => {
    const unknownApp = await run(listOf(older), 'keys', 'rotate', '--app', 'nobody');
    expect([unknownApp.code, unknownApp.out]).to.deep.equal([1, '']);
    const unknownKey = await run(listOf(older), 'keys', 'rotate', '--compromised', 'key_none');
    expect(unknownKey.code).to.equal(1);
    expect(unknownKey.err).to.include('published key');
    const wrong = await run(listOf(older), 'keys', 'rotate', '--algorithm', 'HS256');
    expect(wrong.code).to.equal(2);
    expect(wrong.err).to.include('RS256, PS256, ES256, EdDSA');
  });

  it('moves everything sealed to a new ENCRYPTION_KEY, and nobody is signed out on the way', async () => {
    const session = await signedIn(latchkey, client, { email: 'ada@example.com' });
    const once = { 'idempotency-key': 'reseal-1' };
    const job = { name: 'batch', type: 'service' };
    const made = await latchkey.admin('POST', '/apps/shop/clients', job, once);
    expect(made.status).to.equal(201);
    const signs = {
      settings: { token_endpoint_auth_method: 'client_secret_jwt' },
      name: 'signs',
      type: 'service',
    };
    expect((await latchkey.admin('POST', '/apps/shop/clients', signs)).status).to.equal(201);
    const bob = { appId: 'shop', userId: await makeUser(latchkey, 'shop', 'bob@example.com') };
    await latchkey.latchkey.stores.db.transaction('shop', async (tx) => {
      await enqueueJob(
        tx,
        { rootKeys: [older], wake: () => {} },
        { appId: 'shop', kind: 'never', payload: { a: 1 } },
      );
      await putTotp(tx, { ...bob, seed: sealSeed([older], bob, 'GEZDGNBVGY3TQOJQ'), step: 1 });
    });

    const apart = {
      name: 'apart',
      type: 'web',
      redirect_uris: [REDIRECT],
      settings: { subject_type: 'pairwise' },
    };
    const { body } = await latchkey.admin('POST', '/apps/shop/clients', apart);
    const pairwise = { appId: 'shop', clientId: body.client_id, secret: body.client_secret };
    const subject = await subjectAt(pairwise);

    const first = await refresh(session.configuration, client, session.tokens.refresh_token!);
    await latchkey.stop();
    await start(listOf(newer, older));
    const again = await refresh(session.configuration, client, session.tokens.refresh_token!);
    expect(again.body.refresh_token, 'the same successor, derived from the older key').to.equal(
      first.body.refresh_token,
    );
    const request = await authorizationRequest(session.configuration);
    const silent = await session.agent.open(request.url.href);
    expect(silent.url, 'the cookies of before').to.match(/[?&]code=/);

    const before = await run(listOf(newer), 'keys', 'reseal', '--json');
    expect(before.code, 'without the older key nothing can be read').to.equal(1);
    const [stuck, moved] = [
      JSON.parse(before.out),
      await run(listOf(newer, older), 'keys', 'reseal', '--json'),
    ];
    expect(stuck.unreadable).to.be.greaterThan(4);
    expect(stuck.remaining).to.equal(stuck.unreadable);
    const done = JSON.parse(moved.out);
    expect(moved.code).to.equal(0);
    expect(done).to.include({ remaining: 0, unreadable: 0 });
    for (const { table, resealed } of done.columns)
      if (table !== 'token_hooks') expect(resealed, table).to.be.greaterThan(0);
    const kept = await latchkey.latchkey.stores.db.transaction('shop', (tx) =>
      totpOf(tx, 'shop', bob.userId),
    );
    expect(openSeed([newer], bob, kept!.seed)).to.equal('GEZDGNBVGY3TQOJQ');
    const idle = await run(listOf(newer, older), 'keys', 'reseal');
    expect(idle).to.deep.include({ code: 0 });
    expect(idle.out).to.match(/Sealed anew: 0\./);

    // Whatever column an envelope may be in: one that nobody registered would show up here.
    const columns = await latchkey.sql(
      `select c.table_name, c.column_name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
       where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type in ('text', 'jsonb')`,
    );
    for (const { table_name, column_name } of columns) {
      const [left] = await latchkey.sql(
        `select count(*)::int as count from ${table_name} where ${column_name}::text like '%v1.${fingerprintOf(older)}.%'`,
      );
      expect(left!['count'], `${table_name}.${column_name}`).to.equal(0);
    }

    await latchkey.stop();
    await start(listOf(newer));
    expect(await subjectAt(pairwise), 'who people are to a pairwise client').to.equal(subject);
    const replayed = await latchkey.admin('POST', '/apps/shop/clients', job, once);
    expect(replayed.body).to.deep.equal(made.body);
    const token = await post(
      `${latchkey.baseUrl}/auth/shop/token`,
      { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret },
      { grant_type: 'client_credentials' },
    );
    const kids = (await latchkey.admin('GET', '/apps/shop/keys')).body.items;
    expect(decodeProtectedHeader(token.body.access_token).kid).to.equal(kids[0].kid);
  });

  it('reseals once, by any number of processes at once', async () => {
    await latchkey.stop();
    await start(listOf(older, newer));
    const runs = await Promise.all(
      Array.from({ length: 3 }, () => run(listOf(older, newer), 'keys', 'reseal', '--json')),
    );
    for (const { code, out } of runs) expect([code, JSON.parse(out).remaining]).to.deep.equal([0, 0]);
    await latchkey.stop();
    await start(listOf(older));
    const answer = await fetch(`${latchkey.baseUrl}/.well-known/jwks.json`);
    expect(answer.status).to.equal(200);
    expect(
      (await signedIn(latchkey, client, { email: 'ada@example.com', kind: 'own' })).tokens.id_token,
    ).to.be.a('string');
  });
});
