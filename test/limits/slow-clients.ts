// `npm run test:limits`: limits of time, each waited for. Not part of `npm test`, because half a minute goes by.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { call } from '../support/token-calls.ts';

describe('who takes too long (docs/limits.md)', function () {
  this.timeout(120_000);
  let latchkey: TestLatchkey;
  let host: string;
  before(async () => {
    latchkey = await startTestLatchkey();
    ({ host } = new URL(latchkey.baseUrl));
  });
  after(() => latchkey.stop());

  /** Sends `text`, then a piece every second, until the server ends it. */
  async function dribble(text: string, piece: string): Promise<{ answer: string; seconds: number }> {
    const socket = connect(Number(new URL(latchkey.baseUrl).port), '127.0.0.1').on('error', () => {});
    const ended = new AbortController();
    const startedAt = performance.now();
    let answer = '';
    socket.on('data', (data) => (answer += String(data))).once('close', () => ended.abort());
    socket.write(text);
    while (!ended.signal.aborted) {
      await sleep(1000, undefined, { signal: ended.signal }).catch(() => {});
      if (piece && !socket.destroyed) socket.write(piece);
    }
    return { answer, seconds: (performance.now() - startedAt) / 1000 };
  }

  it('L5 L6 L7 L9 is told so, in the end closed, and holds up nobody else', async () => {
    // A row that somebody else does not let go of: the statement that waits for it is given up.
    await latchkey.admin('POST', '/apps', {
      app_id: 'shop',
      name: 'Shop',
      type: 'spa',
      redirect_uris: ['http://localhost:1/cb'],
    });
    const lock = await latchkey.hold("select from apps where app_id = 'shop' for update");
    const blockedAt = performance.now();
    const blocked = latchkey.admin('PATCH', '/apps/shop', { name: 'Other' }).then((answer) => ({
      ...answer,
      seconds: (performance.now() - blockedAt) / 1000,
    }));
    const slow = Promise.all([
      dribble(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n`, 'X-A: b\r\n'),
      dribble(
        `POST /token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n`,
        'a',
      ),
      dribble(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`, ''),
    ]);
    let others = 0;
    const waiting = new AbortController();
    void slow.finally(() => waiting.abort());
    while (!waiting.signal.aborted) {
      expect((await call(`${latchkey.baseUrl}/.well-known/openid-configuration`)).status).to.equal(200);
      others += 1;
      await sleep(250);
    }
    expect(others).to.be.greaterThan(5);
    const [headers, body, idle] = await slow;
    expect(headers!.answer).to.match(/^HTTP\/1\.1 408 /);
    expect(headers!.seconds).to.be.within(14, 60);
    expect(body!.answer).to.match(/^HTTP\/1\.1 408 /);
    expect(body!.seconds).to.be.within(29, 90);
    expect(idle!.answer).to.match(/^HTTP\/1\.1 200 /);
    expect(idle!.seconds).to.be.within(9, 60);
    const answer = await blocked;
    await lock.commit();
    expect([answer.status, answer.body.code]).to.deep.equal([503, 'store.unavailable']);
    expect(Number(answer.headers.get('retry-after'))).to.be.greaterThan(0);
    expect(answer.seconds).to.be.within(9, 60);
    expect((await latchkey.admin('PATCH', '/apps/shop', { name: 'Other' })).status).to.equal(200);
  });
});
