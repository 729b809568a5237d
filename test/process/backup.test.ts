import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import {
  begin,
  isSignedIn,
  makeApp as makePublicApp,
  makeUser as makePerson,
  signInWithPassword,
} from '../sign-in/people.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, type Authenticator, offered } from '../support/passkeys.ts';
import {
  type Connection,
  createDatabase,
  createEmptyDatabase,
  dropDatabase,
  testRedisUrl,
} from '../support/servers.ts';
import { makeApp, makeUser, signedIn, type TestClient } from '../support/sign-in.ts';
import { refresh } from '../support/token-calls.ts';

const entry = new URL('../../bin/latchkey.mjs', import.meta.url).pathname;

type Said = { code: number | null; out: string; err: string };

describe('latchkey backup, restore and move', function () {
  this.timeout(180_000);
  const keys = randomBytes(32).toString('base64');
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-backup-'));
  const file = join(dir, 'latchkey.backup');
  const databases: Connection[] = [];
  let source: Connection;
  let served: TestLatchkey | undefined;
  let baseUrl: string;
  let client: TestClient;
  let depot: string;
  let holder: { email: string };
  let authenticator: Authenticator;
  let refreshToken: string;
  let told: Record<string, { rows: number; digest: string }>;

  const urlOf = (at: Connection, user: string): string =>
    `postgres://${user}@localhost/${at.database}?host=${encodeURIComponent(at.host)}`;
  const environmentOf = (at: Connection): Record<string, string> => ({
    DATABASE_URL: urlOf(at, 'latchkey_server'),
    DATABASE_MIGRATION_URL: urlOf(at, 'postgres'),
    DATABASE_OPERATOR_URL: urlOf(at, 'latchkey_operator'),
  });
  async function made(create: () => Promise<Connection>): Promise<Connection> {
    const database = await create();
    databases.push(database);
    return database;
  }

  /** The command itself, in a process of its own. */
  async function run(env: Record<string, string>, ...args: string[]): Promise<Said> {
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: dir,
      env: {
        PATH: process.env['PATH']!,
        BASE_URL: 'http://localhost:3000',
        DATA_DIR: join(dir, 'embedded'),
        ENCRYPTION_KEYS: keys,
        ADMIN_API_KEY: 'a-key-that-no-command-needs-0123456789',
        ...env,
      },
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (data) => (said.out += String(data)));
    child.stderr.on('data', (data) => (said.err += String(data)));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, ...said };
  }
  async function succeeds(env: Record<string, string>, ...args: string[]): Promise<string> {
    const { code, out, err } = await run(env, ...args);
    expect(code, err).to.equal(0);
    return out;
  }
  async function fails(why: RegExp, env: Record<string, string>, ...args: string[]): Promise<void> {
    const { code, out, err } = await run(env, ...args);
    expect([code, out], err).to.deep.equal([1, '']);
    expect(err).to.match(why);
  }
  /** The digests of every table of a database, as a backup of it tells them. */
  async function contentsOf(env: Record<string, string>): Promise<typeof told> {
    const to = join(dir, `${randomBytes(4).toString('hex')}.backup`);
    return JSON.parse(await succeeds(env, 'backup', '--to', to, '--json')).tables;
  }
  async function serve(env: Record<string, string>): Promise<TestLatchkey> {
    const port = new URL(baseUrl).port;
    served = await startTestLatchkey({
      database: source,
      env: { ENCRYPTION_KEYS: keys, BASE_URL: baseUrl, PORT: port, ...env },
    });
    return served;
  }
  async function stop(): Promise<void> {
    await served?.stop();
    served = undefined;
  }
  /** With what people had before: a password, a passkey, an authenticator's seed and a refresh token. */
  async function everyoneGetsIn(latchkey: TestLatchkey): Promise<void> {
    const { configuration } = await signedIn(latchkey, client, { email: 'ada@example.com' });
    const next = await refresh(configuration, client, refreshToken);
    expect(next.status, next.text).to.equal(200);
    refreshToken = next.body.refresh_token;
    const agent = latchkey.agent();
    const page = await begin(agent, depot);
    const done = await answer(agent, page, authenticator.get(offered(page)));
    expect(isSignedIn(done), done.html).to.equal(true);
  }

  before(async () => {
    source = await made(createDatabase);
    served = await startTestLatchkey({ database: source, env: { ENCRYPTION_KEYS: keys } });
    ({ baseUrl } = served);
    client = await makeApp(served, 'shop');
    await makeUser(served, 'shop', 'ada@example.com');
    const session = await signedIn(served, client, {
      email: 'ada@example.com',
      parameters: { scope: 'openid offline_access', prompt: 'consent' },
    });
    refreshToken = session.tokens.refresh_token!;
    depot = await makePublicApp(served, { second_factor: 'optional' });
    // Text that a copy could trip over.
    holder = await makePerson(served, depot, { metadata: { note: 'Zoë\t\\N\n\\.\n"O\'Neil" 😀' } });
    const agent = served.agent();
    await signInWithPassword(agent, depot, holder.email);
    ({ authenticator } = await addPasskey(agent, depot));
  });
  after(async () => {
    await stop();
    await Promise.all(databases.map((database) => dropDatabase(database)));
    rmSync(dir, { recursive: true, force: true });
  });

  it('writes every row while the server serves, readable by this account only', async () => {
    const said = await run(environmentOf(source), 'backup', '--to', file);
    expect(said.code, said.err).to.equal(0);
    expect(said.out).to.match(/^Backed up [\d,]+ rows in \d+ tables to .*latchkey\.backup\.\n$/);
    expect(said.err).to.match(/^ {2}users {2}2 rows$/m);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readdirSync(dir).filter((name) => name.includes('partial'))).to.deep.equal([]);
    const text = gunzipSync(readFileSync(file)).toString();
    const [tables] = await served!.sql<{ names: string[] }>(
      "select array_agg(tablename::text order by tablename) as names from pg_tables where schemaname = 'public' and tablename <> 'schema_migrations'",
    );
    const copied = [...text.matchAll(/^COPY "(\w+)"/gm)].map(([, name]) => name);
    expect(copied).to.have.members(tables!.names);
    await fails(/exists already; nothing was written/, environmentOf(source), 'backup', '--to', file);
    expect(gunzipSync(readFileSync(file)).toString() === text).to.equal(true);
  });

  it('puts everything into an empty database, where everyone gets in with what they had', async () => {
    await stop();
    // What servers did since the first backup is in this one.
    rmSync(file);
    told = JSON.parse(await succeeds(environmentOf(source), 'backup', '--to', file, '--json')).tables;
    const target = await made(createEmptyDatabase);
    const out = await succeeds(environmentOf(target), 'restore', '--from', file);
    expect(out).to.match(/^Restored [\d,]+ rows in \d+ tables; every table was compared and is equal\.\n$/);
    expect(await contentsOf(environmentOf(target))).to.deep.equal(told);
    await everyoneGetsIn(await serve(environmentOf(target)));
    const [forced] = await served!.sql<{ loose: string }>(
      'select count(*) as loose from pg_class where relrowsecurity and not relforcerowsecurity',
    );
    const owner = await served!.sql(
      "select relname from pg_class where relname = 'users' and relrowsecurity and relforcerowsecurity",
    );
    expect([forced!.loose, owner.length]).to.deep.equal(['0', 1]);
    await fails(/the database is not empty/, environmentOf(target), 'restore', '--from', file);
  });

  it('moves to the embedded database and back, and everyone gets in on both', async () => {
    const external = { ...environmentOf(databases.at(-1)!) };
    await fails(/connections of servers are open/, external, 'move', '--to', 'embedded');
    await stop();
    const before = await contentsOf(external);
    const out = await succeeds(external, 'move', '--to', 'embedded');
    expect(out).to.match(/every table was compared and is equal\. Take DATABASE_URL out/);
    const embedded = { DATABASE_URL: '', DATABASE_MIGRATION_URL: '', DATABASE_OPERATOR_URL: '' };
    expect(await contentsOf(embedded)).to.deep.equal(before);
    await everyoneGetsIn(await serve({ ...embedded, DATA_DIR: join(dir, 'embedded') }));
    const back = environmentOf(await made(createEmptyDatabase));
    await fails(/data directory|in use|holds/i, back, 'move', '--to', 'external');
    await stop();
    const left = await contentsOf(embedded);
    await succeeds(back, 'move', '--to', 'external');
    expect(await contentsOf(back)).to.deep.equal(left);
    await everyoneGetsIn(await serve(back));
    await stop();
  });

  it('changes nothing when the backup is damaged, cut off, of another program, or sealed under another key', async () => {
    const target = await made(createEmptyDatabase);
    const into = environmentOf(target);
    const text = gunzipSync(readFileSync(file)).toString();
    const other = join(dir, 'other');
    const write = (bytes: Buffer | string): void => writeFileSync(other, bytes);
    const restoring = ['restore', '--from', other];
    write(gzipSync(text.replace('ada@example.com', 'eve@example.com')));
    await fails(/is damaged: \w+ does not hold what its last line says/, into, ...restoring);
    write(readFileSync(file).subarray(0, -200));
    await fails(/cut off/, into, ...restoring);
    write(gzipSync(text.slice(0, text.lastIndexOf('-- latchkey end'))));
    await fails(/its last line is missing/, into, ...restoring);
    write(
      gzipSync(text.replaceAll(/^COPY "users".*\n(?:[^\\].*\n)*/gm, 'COPY "users" ("app_id") FROM stdin;\n')),
    );
    await fails(/does not have in that shape/, into, ...restoring);
    write(gzipSync(text.replace('0001_foundation.sql', '0099_later.sql')));
    await fails(/of another release: .* 0099_later\.sql/, into, ...restoring);
    write('hello');
    await fails(/no backup of Latchkey/, into, ...restoring);
    await fails(/ENOENT/, into, 'restore', '--from', join(dir, 'nothing'));
    const otherKeys = { ...into, ENCRYPTION_KEYS: randomBytes(32).toString('base64') };
    await fails(/no key of ENCRYPTION_KEYS opens .*signing_keys/, otherKeys, 'restore', '--from', file);
    const cache = { REDIS_URL: testRedisUrl(source) };
    const user = await startTestLatchkey({ driver: 'redis', redisUrl: cache.REDIS_URL });
    await begin(user.agent(), await makePublicApp(user));
    await user.stop();
    await fails(/what was cached of another database/, { ...into, ...cache }, 'restore', '--from', file);
    // After all that it is as empty as it was.
    await succeeds(into, 'restore', '--from', file);
    expect(await contentsOf(into)).to.deep.equal(told);
    const anyway = environmentOf(await made(createEmptyDatabase));
    await succeeds({ ...otherKeys, ...anyway }, 'restore', '--from', file, '--accept-unreadable');
  });

  it('says how it is called', async () => {
    const wrong = [
      [['backup'], /--to FILE/],
      [['restore'], /--from FILE/],
      [['move', '--to', 'mars'], /--to external, or --to embedded/],
      [['move', '--to', 'embedded'], /DATABASE_URL is not set/],
    ] as const;
    await Promise.all(
      wrong.map(async ([args, why]) => {
        const { code, err } = await run({}, ...args);
        expect(code).to.equal(2);
        expect(err).to.match(why);
      }),
    );
  });
});
