import { connect } from 'node:net';
import { expect } from 'chai';
import type { Route } from '../../src/http/route-table.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { authorizationRequest, discover, makeApp, makeUser } from '../support/sign-in.ts';

const ADMIN = { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' };
const FORM = 'application/x-www-form-urlencoded';
/** What a stack trace, or the text of an error of ours, of a library or of the database, looks like. */
const INTERNALS =
  /\bat (async )?[\w$.<>]+ \(|\.(ts|mjs):\d+|node_modules|node:internal|\/src\/|syntax error at|ECONN|TypeError|null \(reading/;
const NONSENSE = ['%E0%A4%A', 'x'.repeat(300), "'%22%3B--", '%00', '..%2f..', '__proto__', '%ff%fe'];
const BODIES: readonly [string | undefined, string][] = [
  ['application/json', '{"a":'],
  ['application/json', 'null'],
  ['application/json', '[[[]]]'],
  ['application/json', '{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}}}'],
  [FORM, 'csrf=%00&email[]=1&__proto__=2&code=%E0%A4%A&client_id=%00&token=%00&constructor=3'],
  [FORM, 'csrf&&&=&=x&%=&client_id=shop&token=..'],
  ['multipart/form-data; boundary=x', '--x--'],
  ['text/xml', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'],
  [undefined, 'x'],
];

describe('every route', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let routes: readonly Route[];
  let lines = '';
  let asked = 0;

  before(async () => {
    const log = createLogger(
      { logLevel: 'warn', logFormat: 'json' },
      { write: (line: string) => void (lines += line) },
    );
    // From many addresses, so that what is refused is refused for what it is.
    latchkey = await startTestLatchkey({ log, env: { TRUSTED_PROXIES: '127.0.0.0/8,::1/128' } });
    await makeApp(latchkey, 'shop', { settings: { dynamic_registration: 'open' } });
    await makeUser(latchkey, 'shop', 'ada@example.com');
    ({ routes } = latchkey.latchkey);
  });
  after(() => latchkey.stop());
  beforeEach(() => {
    lines = '';
  });
  afterEach(() => {
    const faults = lines.split('\n').filter((line) => /"level":("error"|"fatal"|50|60)/.test(line));
    expect(faults.slice(0, 3)).to.deep.equal([]);
  });

  const elsewhere = (): Record<string, string> => ({
    'x-forwarded-for': `10.0.${(asked >> 8) & 255}.${(asked += 1) & 255}`,
  });

  /** Refused or served, but no fault, no word about our inside, and no page that another site could frame. */
  function check(answer: { status: number; headers: Headers; text: string }, what: string): void {
    const told = `${what} → ${answer.status} ${answer.text.slice(0, 300)}`;
    expect(answer.status, told).to.be.below(500);
    if (answer.status >= 400) expect(answer.text, told).not.to.match(INTERNALS);
    if (!answer.headers.get('content-type')?.startsWith('text/html')) return;
    const policy = answer.headers.get('content-security-policy');
    expect(policy, told)
      .to.include("frame-ancestors 'none'")
      .and.not.match(/unsafe-|\*[\s;]/);
    expect(answer.headers.get('x-frame-options'), told).to.equal('DENY');
    expect(answer.headers.get('x-content-type-options'), told).to.equal('nosniff');
  }

  async function ask(method: string, path: string, [type, body]: readonly [string | undefined, string]) {
    const headers = {
      accept: 'text/html, application/json;q=0.9',
      ...(path.startsWith('/api/') ? ADMIN : {}),
      ...elsewhere(),
      ...(type ? { 'content-type': type } : {}),
    };
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const init = { method, headers, redirect: 'manual' as const, ...(hasBody ? { body } : {}) };
    const response = await fetch(latchkey.baseUrl + path, init);
    const answer = { status: response.status, headers: response.headers, text: await response.text() };
    check(answer, `${method} ${path} ${type} ${body.slice(0, 60)}`);
    return answer;
  }

  const isNamed = (name: string): boolean => name === 'app_id';
  /** The path with nonsense for each name in it; below an app that exists, so that it gets past its door. */
  const filled = ({ method, path }: Route, nonsense: string, deep: boolean): string =>
    path.replaceAll(/:(\w+)/g, (_, name: string) =>
      deep && isNamed(name) && !(method === 'DELETE' && path.endsWith(':app_id')) ? 'shop' : nonsense,
    );

  it('#80 #42 #43 answers nonsense in its path, query and body without a fault, and no page of it can be framed', async () => {
    let pages = 0;
    for (const [at, route] of routes.entries())
      for (const i of [0, 1, 2, 3]) {
        const nonsense = NONSENSE[(at + i * 2) % NONSENSE.length]!;
        const path = filled(route, nonsense, i % 2 === 0);
        const query =
          i === 1 ? '' : `?a=${nonsense}&client_id=${i % 2 ? 'shop' : nonsense}&__proto__=x&state`;
        const { headers } = await ask(route.method, path + query, BODIES[(at + i) % BODIES.length]!);
        if (headers.get('content-type')?.startsWith('text/html')) pages += 1;
      }
    expect(pages, 'pages seen').to.be.greaterThan(100);
  });

  it('#80 #41 steps of a sign-in under way take no nonsense, and stay where they were', async () => {
    const configuration = await discover(latchkey, { appId: 'shop', clientId: 'shop', secret: 'x' }, 'own');
    const agent: Agent = latchkey.agent(elsewhere());
    const page: Page = await agent.open((await authorizationRequest(configuration)).url.href);
    const at = new URL(page.url).pathname;
    for (const { method, path } of routes.filter((one) => one.path.includes('/interaction/:uid')))
      for (const [type, body] of method === 'GET' ? [[undefined, ''] as const] : BODIES) {
        const step = path.replace('/auth/:app_id/interaction/:uid', at).replace(':secret', '%00..%2f');
        const headers = { ...elsewhere(), ...(type ? { 'content-type': type } : {}) };
        const init =
          method === 'GET' ? {} : { method, headers: { ...headers, origin: latchkey.baseUrl }, body };
        const response = await agent.send(step, init);
        const text = await response.text();
        check({ status: response.status, headers: response.headers, text }, `${method} ${step} ${body}`);
        if (method !== 'GET') expect(response.status, `${step} ${body}`).to.be.within(400, 415);
      }
    const still = await agent.open(page.url);
    expect([still.status, still.html.includes('name="password"')]).to.deep.equal([200, true]);
  });

  it('#80 takes no method that it does not have, and HEAD where it has GET', async () => {
    const paths = new Map<string, Set<string>>();
    for (const { method, path } of routes) paths.set(path, (paths.get(path) ?? new Set()).add(method));
    for (const [path, methods] of paths)
      for (const method of ['PUT', 'PROPFIND', 'HEAD']) {
        if (methods.has(method)) continue;
        const { status } = await ask(method, filled({ method, path }, 'nobody-here', false), [FORM, 'a=b']);
        if (method !== 'HEAD') expect(status, `${method} ${path}`).to.be.within(400, 405);
      }
  });

  /** What `fetch` would not send, as bytes. Resolves with the first line of the answer and with all of it. */
  const raw = (head: string, body = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const { port } = new URL(latchkey.baseUrl);
      const socket = connect(Number(port), '127.0.0.1');
      let text = '';
      socket.on('data', (piece) => {
        text += piece.toString('latin1');
      });
      // Whoever is refused before the end of what they send may see a reset: then what came before it counts.
      socket.on('error', (error) => (text ? resolve(text) : reject(error)));
      socket.on('close', () => resolve(text));
      socket.write(
        Buffer.from(`${head}\r\nHost: localhost:${port}\r\nConnection: close\r\n${body}`, 'latin1'),
      );
    });

  it('#80 refuses what is hardly HTTP, and huge heads, without a fault', async () => {
    const end = '\r\n';
    for (const [what, answer] of [
      ['no such method', raw('BREW /token HTTP/1.1', end)],
      ['another protocol', raw('GET / HTTP/9.9', end)],
      ['bytes in the path', raw('GET /auth/\xff\xfe/authorize HTTP/1.1', end)],
      ['an absolute path', raw('GET http://evil.test/authorize HTTP/1.1', end)],
      ['no path', raw('OPTIONS * HTTP/1.1', end)],
      ['two lengths', raw('POST /token HTTP/1.1', `Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`)],
      [
        'a length and chunks',
        raw('POST /token HTTP/1.1', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
      ],
      [
        'a huge header',
        raw('GET /userinfo HTTP/1.1', `Authorization: Bearer ${'A'.repeat(64 * 1024)}\r\n\r\n`),
      ],
      ['many headers', raw('GET / HTTP/1.1', `${'X-A: b\r\n'.repeat(5000)}\r\n`)],
      ['a huge query', raw(`GET /authorize?client_id=shop&state=${'A'.repeat(64 * 1024)} HTTP/1.1`, end)],
      ['a huge cookie', raw('GET /logout HTTP/1.1', `Cookie: lk_ses.shop=${'A'.repeat(12 * 1024)}\r\n\r\n`)],
      [
        'bytes in headers',
        raw('GET /userinfo HTTP/1.1', `Authorization: Bearer \xff\xfe\r\nAccept-Language: \xff\r\n\r\n`),
      ],
    ] as const) {
      const text = await answer;
      expect(text, what)
        .to.match(/^HTTP\/1\.1 [234]\d\d /)
        .and.not.match(INTERNALS);
    }
    expect((await fetch(`${latchkey.baseUrl}/healthz`)).status).to.equal(200);
  });
});
