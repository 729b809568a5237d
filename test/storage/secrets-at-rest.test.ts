import { expect } from 'chai';
import { Redis } from 'ioredis';
import * as oidc from 'openid-client';
import { createLogger } from '../../src/telemetry/log.ts';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, linkIn, type Mail, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { type PrivateRedis, startPrivateRedis } from '../support/servers.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  type Request,
  signInByPassword,
  SIGNED_OUT,
  type TestClient,
} from '../support/sign-in.ts';
import { introspect, post, redeemCode, refresh, userinfo } from '../support/token-calls.ts';

/** Everything secret that went over the wire in either direction, by what it was. */
class Canaries {
  readonly kinds = new Set<string>();
  readonly #found = new Map<string, string>();
  readonly #fetch = globalThis.fetch;

  start(): void {
    globalThis.fetch = async (input, init) => {
      this.#outgoing(init);
      const response = await this.#fetch(input, init);
      await this.#incoming(response.clone());
      return response;
    };
  }

  stop(): void {
    globalThis.fetch = this.#fetch;
  }

  add(what: string, value: string | undefined): void {
    if (!value || value.length < 6) return;
    this.kinds.add(what);
    this.#found.set(value, what);
  }

  /** What of it the text holds. Six digits count only where they stand alone: they also occur inside numbers. */
  in(text: string): string[] {
    return [...this.#found]
      .filter(([value]) =>
        /^\d{6}$/.test(value)
          ? new RegExp(`(?<![\\w.+-])${value}(?![\\w.])`).test(text)
          : text.includes(value),
      )
      .map(([value, what]) => `${what}: ${value}`);
  }

  #outgoing(init: RequestInit | undefined): void {
    const headers = new Headers(init?.headers);
    const basic = /^Basic (.+)$/.exec(headers.get('authorization') ?? '');
    if (basic)
      this.add(
        'client secret',
        decodeURIComponent(Buffer.from(basic[1]!, 'base64').toString().split(':')[1]!),
      );
    if (!(init?.body instanceof URLSearchParams) && typeof init?.body !== 'string') return;
    const text = String(init.body);
    const fields = text.startsWith('{')
      ? Object.entries(JSON.parse(text) as object)
      : [...new URLSearchParams(text)];
    // Not `xsrf` of the sign-out form: the library keeps it in the session, and it is worth nothing without that session's cookie.
    for (const [name, value] of fields)
      if (/^(password|new_password|code|code_verifier|client_secret|refresh_token|csrf)$/.test(name))
        this.add(name, String(value));
  }

  async #incoming(response: Response): Promise<void> {
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      // It names a way to sign in and is worth nothing.
      if (name!.startsWith('lk_method.')) continue;
      this.add(`cookie ${name!.split('.')[0]}${name!.endsWith('.sig') ? '.sig' : ''}`, value);
    }
    const location = response.headers.get('location');
    if (location) this.add('code', new URL(location, 'http://x').searchParams.get('code') ?? undefined);
    if (!response.headers.get('content-type')?.includes('json')) return;
    const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    for (const name of ['access_token', 'refresh_token', 'id_token', 'client_secret', 'secret']) {
      if (typeof body[name] !== 'string') continue;
      this.add(name, body[name]);
      // Part of a JWT is as good as nothing, but its signature must not lie about either.
      if (name !== 'refresh_token') this.add(`${name}, its signature`, body[name].split('.')[2]);
    }
  }
}

for (const driver of drivers) {
  describe(`#79 #80 secrets at rest and in logs, on ${driver}`, function () {
    this.timeout(180_000);
    const canaries = new Canaries();
    let lines = '';
    let rows = '';
    let redis: PrivateRedis | undefined;
    let raw: Redis | undefined;
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let configuration: oidc.Configuration;

    before(async () => {
      if (driver === 'redis') {
        redis = await startPrivateRedis();
        raw = new Redis(redis.url);
      }
      const log = createLogger(
        { logLevel: 'trace', logFormat: 'json' },
        { write: (line: string) => void (lines += line) },
      );
      latchkey = await startTestLatchkey({ driver, log, ...(redis ? { redisUrl: redis.url } : {}) });
      canaries.start();
      shop = await makeApp(latchkey, 'shop', { type: 'web' });
      canaries.add('admin key', 'test-admin-key-0123456789-0123456789-abcdef');
      configuration = await discover(latchkey, shop, 'shared');
      await makeUser(latchkey, 'shop', 'ada@example.com');
    });
    after(async () => {
      canaries.stop();
      await latchkey.stop();
      await raw?.quit();
      await redis?.end();
    });
    // After each flow, before what it left expires or is swept.
    afterEach(async () => {
      rows += await everyRow(latchkey);
      if (raw) rows += await everyKey(raw);
    });

    const begin = async (agent: Agent): Promise<{ page: Page; request: Request }> => {
      const request = await authorizationRequest(configuration);
      return { request, page: await agent.open(request.url.href) };
    };
    const finish = async (request: Request, page: Page): Promise<any> => {
      const answer = await redeemCode(configuration, shop, {
        callback: page.url,
        verifier: request.verifier,
      });
      expect(answer.status, answer.text + page.url).to.equal(200);
      return answer.body;
    };
    const secretOf = (link: string): string => link.split('/').at(-1)!;

    it('passwords, sessions, codes, tokens and their refusals', async () => {
      const agent = latchkey.agent();
      const { page, request } = await begin(agent);
      const wrong = await agent.submit(
        page,
        { email: 'ada@example.com', password: 'another guess, a wrong one' },
        { ending: '/password' },
      );
      rows += await everyRow(latchkey);
      const tokens = await finish(
        request,
        await agent.submit(wrong, { email: 'ada@example.com', password: PASSWORD }, { ending: '/password' }),
      );
      const next = (await refresh(configuration, shop, tokens.refresh_token)).body;
      await userinfo(configuration, next.access_token);
      await introspect(configuration, shop, next.access_token);
      await post(configuration.serverMetadata().revocation_endpoint!, shop, { token: tokens.access_token });
      const silent = await authorizationRequest(configuration, { prompt: 'none', scope: 'openid' });
      expect((await agent.open(silent.url.href)).url).to.match(/[?&]code=/);
      rows += await everyRow(latchkey);
      // Reuse, wrong secrets, nonsense: what is refused is written down somewhere too.
      await latchkey.sql(
        `update refresh_tokens set consumed_at = consumed_at - interval '1 minute' where consumed_at is not null`,
      );
      expect((await refresh(configuration, shop, tokens.refresh_token)).status).to.equal(400);
      expect(
        (
          await refresh(
            configuration,
            { ...shop, secret: 'not-the-secret-of-this-client' },
            tokens.refresh_token,
          )
        ).status,
      ).to.equal(401);
    });

    it('sign-out', async () => {
      const agent = latchkey.agent();
      const request = await authorizationRequest(configuration);
      const tokens = await finish(request, await signInByPassword(agent, request, 'ada@example.com'));
      const url = oidc.buildEndSessionUrl(configuration, {
        id_token_hint: tokens.id_token,
        post_logout_redirect_uri: SIGNED_OUT,
      });
      const page = await agent.open(url.href);
      rows += await everyRow(latchkey);
      expect((await agent.submit(page, { logout: 'yes' })).url).to.equal(SIGNED_OUT);
    });

    /** Others go to the same address, of a sign-in from another browser for one, and may overtake it. */
    async function mailWith(text: string): Promise<Mail> {
      for (;;) {
        const found = (await latchkey.mailsTo('ada@example.com')).find((mail) => mail.text.includes(text));
        if (found) return found;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }

    it('magic links, and their six digits in another browser', async () => {
      const agent = latchkey.agent();
      const { page, request } = await begin(agent);
      const sent = await agent.submit(
        page,
        { email: 'ada@example.com', password: '' },
        { ending: '/password', action: `${page.url}/magic-link` },
      );
      const link = linkIn(await mailWith('/magic-link/'));
      canaries.add('secret of a magic link', secretOf(link));
      const elsewhere = await latchkey.agent().open(link);
      const digits = /class="digits" value="(\d{6})"/.exec(elsewhere.html)?.[1];
      expect(digits, elsewhere.html).to.be.a('string');
      canaries.add('six digits', digits);
      rows += await everyRow(latchkey);
      if (raw) rows += await everyKey(raw);
      await finish(request, await agent.submit(sent, { code: digits! }, { ending: '/code' }));
    });

    it('sign-up', async () => {
      const agent = latchkey.agent();
      const { page, request } = await begin(agent);
      const form = await agent.open(`${page.url}/sign-up`);
      await agent.submit(
        form,
        { email: 'new@example.com', password: 'a password of a new person' },
        { ending: '/sign-up' },
      );
      const link = linkIn((await latchkey.mailsTo('new@example.com'))[0]!);
      canaries.add('secret of a sign-up', secretOf(link));
      rows += await everyRow(latchkey);
      if (raw) rows += await everyKey(raw);
      await finish(request, await agent.submit(await agent.open(link), {}));
    });

    it('recovery', async () => {
      const agent = latchkey.agent();
      const { page, request } = await begin(agent);
      await makeUser(latchkey, 'shop', 'lost@example.com');
      await agent.submit(
        await agent.open(`${page.url}/forgot`),
        { email: 'lost@example.com' },
        { ending: '/forgot' },
      );
      const link = linkIn((await latchkey.mailsTo('lost@example.com'))[0]!);
      canaries.add('secret of a reset', secretOf(link));
      rows += await everyRow(latchkey);
      if (raw) rows += await everyKey(raw);
      await finish(
        request,
        await agent.submit(await agent.open(link), { new_password: 'quite a new password for me' }),
      );
    });

    it('invitations, and further client secrets', async () => {
      const invited = await latchkey.admin('POST', '/apps/shop/users', {
        email: 'guest@example.com',
        send_invitation: true,
      });
      expect(invited.status, JSON.stringify(invited.body)).to.equal(201);
      const link = linkIn((await latchkey.mailsTo('guest@example.com'))[0]!);
      canaries.add('secret of an invitation', secretOf(link));
      const again = { 'idempotency-key': 'the-same-request-twice' };
      const made = await latchkey.admin('POST', '/apps/shop/clients/shop/secrets', {}, again);
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      expect((await latchkey.admin('POST', '/apps/shop/clients/shop/secrets', {}, again)).body).to.deep.equal(
        made.body,
      );
    });

    it('are in no row, no key and no value of the stores', () => {
      expect([...canaries.kinds]).to.include.members([
        'password',
        'new_password',
        'code',
        'code_verifier',
        'client_secret',
        'access_token',
        'refresh_token',
        'id_token',
        'cookie lk_ses',
        'cookie lk_int',
        'cookie lk_dev',
        'cookie lk_csrf',
        'secret of a magic link',
        'six digits',
      ]);
      expect(rows).to.include('ada@example.com').and.include('grant');
      expect(canaries.in(rows)).to.deep.equal([]);
    });

    it('are in no line of the log, at its most talkative', () => {
      expect(lines).to.include('"msg":"request"');
      expect(canaries.in(lines)).to.deep.equal([]);
    });
  });
}

async function everyRow(latchkey: TestLatchkey): Promise<string> {
  const tables = await latchkey.sql<{ name: string }>(
    `select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  let all = '';
  for (const { name } of tables)
    for (const { row } of await latchkey.sql<{ row: string }>(
      `select row_to_json(t)::text as row from ${name} t`,
    ))
      all += `${name} ${row}\n`;
  return all;
}

async function everyKey(redis: Redis): Promise<string> {
  let all = '';
  for (const key of await redis.keys('*')) {
    if ((await redis.type(key)) !== 'string')
      throw new Error(`the key ${key} is no string: teach this test to read it`);
    all += `${key} ${await redis.get(key)}\n`;
  }
  return all;
}
