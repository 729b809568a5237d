import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, type TestClient } from '../support/sign-in.ts';
import { basic, call } from '../support/token-calls.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const MOST = 20;

describe('what a client may ask of the server (docs/limits.md)', function () {
  this.timeout(120_000);
  let latchkey: TestLatchkey;
  let shop: TestClient;
  const open = new Set<Socket>();
  before(async () => {
    latchkey = await startTestLatchkey({ env: { MAX_CONNECTIONS: String(MOST) } });
    shop = await makeApp(latchkey, 'shop');
  });
  afterEach(async () => {
    await Promise.all(
      [...open].map(
        (socket) =>
          new Promise((resolve) => (socket.destroyed ? resolve(0) : socket.once('close', resolve).destroy())),
      ),
    );
    open.clear();
  });
  after(() => latchkey.stop());

  function socket(): Socket {
    const made = connect(Number(new URL(latchkey.baseUrl).port), '127.0.0.1').on('error', () => {});
    open.add(made);
    return made;
  }
  /** All that comes until the server closes the connection. */
  async function said(by: Socket): Promise<string> {
    let text = '';
    for await (const piece of by) text += String(piece);
    return text;
  }
  const admin = (body: string) =>
    latchkey
      .admin('POST', '/apps', JSON.parse(body))
      .then(({ status, body: answer }) => ({ status, code: answer.code }));

  it('L1 a body of 1 MB and no more, whether or not its length is told', async () => {
    const body = `a=${'x'.repeat(1024 * 1024)}`;
    expect(
      (await call(`${latchkey.baseUrl}/token`, { method: 'POST', headers: FORM, body })).status,
    ).to.equal(413);
    const pieces = new Blob([body]).stream();
    const untold = { method: 'POST', headers: FORM, body: pieces, duplex: 'half' } as RequestInit;
    expect((await call(`${latchkey.baseUrl}/token`, untold)).status).to.equal(413);
    const fits = `a=${'x'.repeat(1024 * 1000)}`;
    expect(
      (await call(`${latchkey.baseUrl}/token`, { method: 'POST', headers: FORM, body: fits })).status,
    ).to.be.oneOf([400, 401]);
  });

  it('L2 a form of a thousand fields, each of them once', async () => {
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i}=1`).join('&');
    const headers = { ...FORM, ...basic(shop) };
    const post = (body: string) => call(`${latchkey.baseUrl}/token`, { method: 'POST', headers, body });
    const [many, twice] = await Promise.all([post(fields(1001)), post('grant_type=a&grant_type=b')]);
    expect([many.status, twice.status]).to.deep.equal([400, 400]);
    expect(many.body.error).to.equal('invalid_request');
    expect(twice.text).to.contain('grant_type');
    expect((await post(`grant_type=none&${fields(999)}`)).body.error).to.equal('unsupported_grant_type');
  });

  it('L3 JSON of 32 levels', async () => {
    const nested = (levels: number) => `{"metadata":${'{"a":'.repeat(levels - 1)}1${'}'.repeat(levels - 1)}}`;
    const { status } = await admin(nested(33));
    expect(status).to.equal(400);
    const deep = await latchkey.admin('POST', '/apps', JSON.parse(nested(33)));
    expect(deep.body.detail).to.contain('nested too deeply');
    const fits = await latchkey.admin('POST', '/apps', JSON.parse(nested(32)));
    expect(fits.body.detail).not.to.contain('nested too deeply');
    // Nobody's stack ends at a hundred thousand.
    const text = '['.repeat(100_000) + ']'.repeat(100_000);
    const answer = await fetch(`${latchkey.baseUrl}/api/v1/apps`, {
      method: 'POST',
      headers: { authorization: 'Bearer nobody', 'content-type': 'application/json' },
      body: text,
    });
    expect(answer.status).to.be.oneOf([400, 401]);
  });

  it('L4 headers of 16 kB together, its address among them', async () => {
    const ask = (path: string, header: string) => {
      const one = socket();
      one.write(
        `GET ${path} HTTP/1.1\r\nHost: ${new URL(latchkey.baseUrl).host}\r\nX-A: ${header}\r\nConnection: close\r\n\r\n`,
      );
      return said(one);
    };
    expect(await ask('/healthz', 'x'.repeat(12_000))).to.match(/^HTTP\/1\.1 200 /);
    expect(await ask('/healthz', 'x'.repeat(17_000))).to.match(/^HTTP\/1\.1 431 /);
    expect(await ask(`/healthz?${'x'.repeat(17_000)}`, 'x')).to.match(/^HTTP\/1\.1 431 /);
  });

  it('L8 so many connections; those beyond are closed, and there is room again when one ends', async () => {
    const opened = (one: Socket) => new Promise<void>((resolve) => one.once('connect', () => resolve()));
    const held: Socket[] = [];
    const isServed = async (): Promise<boolean> => {
      const one = socket();
      one.write(
        `GET /healthz HTTP/1.1\r\nHost: ${new URL(latchkey.baseUrl).host}\r\nConnection: close\r\n\r\n`,
      );
      return (await said(one).catch(() => '')).startsWith('HTTP/1.1 200');
    };
    expect(await isServed()).to.equal(true);
    // Half a request each: nothing that could be answered.
    while (held.length < MOST) {
      const one = socket();
      await opened(one);
      one.write('GET /healthz HTTP/1.1\r\n');
      held.push(one);
    }
    let served = await isServed();
    for (let i = 0; served && i < 50; i += 1) served = await isServed();
    expect(served).to.equal(false);
    for (const one of held) one.destroy();
    for (let i = 0; !served && i < 200; i += 1) {
      served = await isServed();
      if (!served) await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(served).to.equal(true);
  });

  it('L12 two hundred items of a list at once', async () => {
    expect((await latchkey.admin('GET', '/apps?limit=200')).status).to.equal(200);
    const { status, body } = await latchkey.admin('GET', '/apps?limit=201');
    expect([status, body.field]).to.deep.equal([400, 'limit']);
  });
});
