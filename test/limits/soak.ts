// `npm run test:soak`: ten minutes (SOAK_MINUTES) of sign-ins, refreshes, introspections and sign-outs against one process,
// a sample of what it holds each second. Twelve workers, on loopback.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { Agent } from '../support/agent.ts';
import { freePort, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase, testRedisUrl } from '../support/servers.ts';
import { makeApp, makeUser, signedIn } from '../support/sign-in.ts';
import { introspect, refresh, userinfo } from '../support/token-calls.ts';
import '../support/stores.ts';

const entry = new URL('../../bin/latchkey.mjs', import.meta.url).pathname;
const MINUTES = Math.max(3, Number(process.env['SOAK_MINUTES'] ?? 10));
const WORKERS = 12;
const WARM_UP_MINUTES = Math.min(2, MINUTES / 4);
const MB = 1024 * 1024;

describe(`ten minutes of work`, function () {
  this.timeout((MINUTES + 5) * 60_000);

  it('leave the process with as much in memory as after the first two', async () => {
    const database = await createDatabase();
    const port = await freePort();
    const baseUrl = `http://localhost:${port}`;
    const key = randomBytes(32).toString('base64url');
    const urlOf = (user: string): string =>
      `postgres://${user}@localhost/${database.database}?host=${encodeURIComponent(database.host)}`;
    const child = spawn(process.execPath, [entry, 'start'], {
      cwd: tmpdir(),
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH']!,
        PORT: String(port),
        BASE_URL: baseUrl,
        LATCHKEY_ENV: 'development',
        LOG_LEVEL: 'error',
        TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
        ADMIN_API_KEY: key,
        ENCRYPTION_KEYS: randomBytes(32).toString('base64url'),
        DATABASE_URL: urlOf('latchkey_server'),
        DATABASE_MIGRATION_URL: urlOf('postgres'),
        DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
        REDIS_URL: testRedisUrl(database),
      },
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    try {
      const latchkey = {
        baseUrl,
        // From everywhere: one network may try only so many secrets.
        agent: () => new Agent(baseUrl, { 'x-forwarded-for': `10.${[...randomBytes(3)].join('.')}` }),
        async admin(method: string, path: string, body?: unknown) {
          const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
          const sent = body === undefined ? {} : { body: JSON.stringify(body) };
          const answer = await fetch(`${baseUrl}/api/v1${path}`, { method, headers, ...sent });
          return { status: answer.status, body: await answer.json(), headers: answer.headers };
        },
      } as unknown as TestLatchkey;
      await answering(`${baseUrl}/readyz`);
      const client = await makeApp(latchkey, 'shop');
      const people = Array.from({ length: 4 * WORKERS }, (_, i) => `person-${i}@example.com`);
      for (const email of people) await makeUser(latchkey, 'shop', email);

      const until = performance.now() + MINUTES * 60_000;
      let rounds = 0;
      const work = async (worker: number): Promise<void> => {
        for (let i = worker; performance.now() < until; i += WORKERS) {
          const email = people[i % people.length]!;
          const { agent, configuration, tokens } = await signedIn(latchkey, client, { email });
          expect((await userinfo(configuration, tokens.access_token)).status).to.equal(200);
          expect((await introspect(configuration, client, tokens.access_token)).body.active).to.equal(true);
          if (tokens.refresh_token)
            expect((await refresh(configuration, client, tokens.refresh_token)).status).to.equal(200);
          await agent.open('/auth/shop/account/sessions');
          rounds += 1;
        }
      };
      const floors: number[] = [];
      const watch = async (): Promise<void> => {
        const startedAt = performance.now();
        for (; performance.now() < until; await sleep(1000)) {
          const minute = Math.min(MINUTES - 1, Math.floor((performance.now() - startedAt) / 60_000));
          const { heap, rss } = await heldBy(baseUrl);
          floors[minute] = Math.min(floors[minute] ?? Number.POSITIVE_INFINITY, heap);
          if (process.env['SOAK_LOUD'])
            console.log(minute, Math.round(heap / MB), Math.round(rss / MB), rounds);
        }
      };
      await Promise.all([watch(), ...Array.from({ length: WORKERS }, (_, worker) => work(worker))]);
      const settled = floors[Math.ceil(WARM_UP_MINUTES)]!;
      const last = floors.at(-1)!;
      console.log(
        `    ${rounds} rounds; in use at the least, each minute: ${floors.map((bytes) => `${Math.round(bytes / MB)}`).join(' ')} MB`,
      );
      expect(rounds).to.be.greaterThan(10 * MINUTES);
      expect(last).to.be.lessThan(settled * 1.1 + 8 * MB);
    } finally {
      child.kill('SIGTERM');
      await ended;
      await dropDatabase(database);
    }
  });
});

/** `heap`: the least between two collections is what is really in use. */
async function heldBy(baseUrl: string): Promise<{ heap: number; rss: number }> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  const valueOf = (name: string): number => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)![1]);
  return { heap: valueOf('nodejs_heap_size_used_bytes'), rss: valueOf('process_resident_memory_bytes') };
}

async function answering(url: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(100)) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`${url} did not become ready`);
}
