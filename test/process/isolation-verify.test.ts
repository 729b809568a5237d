import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Report } from '../../src/surfaces/cli/isolation/verify.ts';
import { freePort, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';

const entry = new URL('../../bin/latchkey.mjs', import.meta.url).pathname;
/** Behind a proxy that ends TLS. */
const PRODUCTION = {
  LATCHKEY_ENV: 'production',
  BASE_URL: 'https://id.example.test',
  SMTP_URL: 'smtp://127.0.0.1:1',
};
const ADMIN_KEY = 'an-admin-key-for-the-isolation-command-0123456789';

describe('latchkey isolation verify, beside a server that runs', function () {
  this.timeout(600_000);
  let database: Awaited<ReturnType<typeof createDatabase>>;
  const keys = randomBytes(32).toString('base64url');
  let latchkey: TestLatchkey;
  let env: Record<string, string>;

  /** A server, and the environment it has in common with the command. */
  const start = async (more: Record<string, string>): Promise<void> => {
    const urlOf = (user: string): string =>
      `postgres://${user}@localhost/${database.database}?host=${encodeURIComponent(database.host)}`;
    const port = await freePort();
    env = {
      LATCHKEY_ENV: 'development',
      BASE_URL: `http://localhost:${port}`,
      PORT: String(port),
      DATABASE_URL: urlOf('latchkey_server'),
      DATABASE_MIGRATION_URL: urlOf('postgres'),
      DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
      ENCRYPTION_KEYS: keys,
      ADMIN_API_KEY: ADMIN_KEY,
      TRUSTED_PROXIES: '127.0.0.0/8,::1/128',
      ...more,
    };
    latchkey = await startTestLatchkey({ database, env });
  };

  function begin(args: readonly string[], changed: Record<string, string | undefined> = {}) {
    const child: ChildProcess = spawn(process.execPath, [entry, 'isolation', 'verify', ...args], {
      cwd: tmpdir(),
      env: { PATH: process.env['PATH']!, ...env, ...changed },
    });
    const said = { out: '', err: '' };
    child.stdout!.on('data', (data) => (said.out += String(data)));
    child.stderr!.on('data', (data) => (said.err += String(data)));
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.once('close', (code) => resolve({ code, ...said })),
    );
    return { child, ended };
  }

  const throwAwayApps = async (state: 'live' | 'deleted'): Promise<number> => {
    const [row] = await latchkey.sql<{ count: number }>(
      `select count(*)::int as count from apps where app_id like 'isolation-%' and (deleted_at is null) = $1`,
      [state === 'live'],
    );
    return row!.count;
  };

  before(async () => {
    database = await createDatabase();
    await start({});
  });
  after(async () => {
    await latchkey?.stop();
    await dropDatabase(database);
  });

  it('#17 attempts more than 500 crossings, leaks none, covers every route, and ends with 0', async () => {
    const { code, out, err } = await begin(['--json', '--forwarded']).ended;
    expect(err).to.equal('');
    const report = JSON.parse(out) as Report;
    expect(report.leaks).to.deep.equal([]);
    expect(report.uncovered_routes).to.deep.equal([]);
    expect(report.skipped).to.deep.equal([]);
    expect(report.attempts).to.be.greaterThan(500);
    expect(report.routes.length + report.exempt_routes.length).to.equal(latchkey.latchkey.routes.length);
    expect(report.controls.filter(({ works }) => !works)).to.deep.equal([]);
    expect(code).to.equal(0);
    expect([await throwAwayApps('live'), await throwAwayApps('deleted')]).to.deep.equal([0, 2]);
  });

  it('ends with 1 and names the crossing when something crosses', async () => {
    // In front of the server, something that remembers answers without the app in the path.
    const proxy = createServer((asked, answer) => {
      const path = asked.url!.replace(/isolation-b(-\w+\/\.well-known\/jwks\.json)/, 'isolation-a$1');
      const { method, headers } = asked;
      const passed = request(`http://127.0.0.1:${env['PORT']}${path}`, { method, headers }, (received) => {
        answer.writeHead(received.statusCode!, received.headers);
        received.pipe(answer);
      });
      asked.pipe(passed);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const { code, out } = await begin(['--url', url, '--only', '/.well-known/jwks.json']).ended;
      expect(out).to.match(/^NOT ISOLATED/);
      expect(out).to.include('LEAK  GET /auth/:app_id/.well-known/jwks.json');
      expect(out).to.include("publishes what is the other app's");
      expect(out).to.match(/Skipped:\n {2}\d+ of \d+ routes: not asked for, see --only/);
      expect(code).to.equal(1);
    } finally {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    }
  });

  it('says what it can not do: 2 for what makes no sense, 1 for what did not work', async () => {
    const runs = [
      { args: ['--quietly'], code: 2, says: /quietly/ },
      { args: ['--url', 'localhost'], code: 2, says: /--url localhost is no address/ },
      { args: ['--only', 'no such route'], code: 2, says: /no route contains that/ },
      {
        args: [],
        env: { ...PRODUCTION, ADMIN_API_KEY: undefined },
        code: 2,
        says: /ADMIN_API_KEY is not set/,
      },
      { args: [], env: { ADMIN_API_KEY: `${ADMIN_KEY}-of-another` }, code: 1, says: /Admin API.*401/ },
      {
        args: ['--url', 'http://127.0.0.1:1'],
        code: 1,
        says: /no server answers at http:\/\/127\.0\.0\.1:1/,
      },
    ];
    for (const { args, code, says, env: changed } of runs) {
      const ended = await begin(args, changed).ended;
      expect(ended.err).to.match(says);
      expect([ended.code, ended.out], ended.err).to.deep.equal([code, '']);
    }
  });

  it('deletes both apps when it is stopped in the middle', async () => {
    const { child, ended } = begin(['--forwarded']);
    const earlier = await throwAwayApps('deleted');
    while ((await throwAwayApps('live')) < 2 && child.exitCode === null) await sleep(50);
    child.kill('SIGINT');
    const { code, out, err } = await ended;
    expect([code, out, err]).to.deep.equal([1, '', 'stopped; the throw-away apps were deleted\n']);
    expect([await throwAwayApps('live'), await throwAwayApps('deleted')]).to.deep.equal([0, earlier + 2]);
  });

  it('goes without mail where there is no inbox: in production, from beside the server', async () => {
    await latchkey.stop();
    await start(PRODUCTION);
    const url = `http://127.0.0.1:${env['PORT']}`;
    const { code, out, err } = await begin(['--url', url, '--only', '/token']).ended;
    expect([code, err], out).to.deep.equal([0, '']);
    expect(out).to.match(/^Nothing crossed\./);
    expect(out).to.match(/invitation.*: mail can be read in the development inbox only/);
  });
});
