import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { freePort, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, signedIn, type TestClient } from '../support/sign-in.ts';
import { call, refresh } from '../support/token-calls.ts';

const page = readFileSync(new URL('../../docs/claims.md', import.meta.url), 'utf8');

describe('the receiver in docs/claims.md', () => {
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let userId: string;
  let receiver: ChildProcess;
  let url: string;
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-hook-'));

  before(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}/tokens`;
    latchkey = await startTestLatchkey({ env: { OUTBOUND_ALLOWED_HOSTS: `127.0.0.1:${port}` } });
    shop = await makeApp(latchkey, 'shop');
    userId = await makeUser(latchkey, 'shop', 'ada@example.com', { metadata: { roles: ['admin'] } });
    const { body } = await latchkey.admin('POST', '/apps/shop/token-hook', { url, timeout_ms: 3000 });
    writeFileSync(join(folder, 'receiver.mjs'), /```js\n([^]*?)```/.exec(page)![1]!);
    receiver = spawn(process.execPath, [join(folder, 'receiver.mjs')], {
      env: { PORT: String(port), TOKEN_HOOK_SECRET: body.secret },
      stdio: 'ignore',
    });
    await answering(url);
  });
  after(async () => {
    receiver.kill();
    await latchkey.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('adds the claims it promises, says no when it should, and believes nobody else', async () => {
    const { configuration, tokens } = await signedIn(latchkey, shop, { email: 'ada@example.com' });
    expect(decodeJwt(tokens.access_token)['roles']).to.deep.equal(['admin']);
    await latchkey.admin('PATCH', `/apps/shop/users/${userId}`, { metadata: { suspended: true } });
    const denied = await refresh(configuration, shop, tokens.refresh_token!);
    expect(denied.body).to.deep.equal({
      error: 'access_denied',
      error_description: 'This account is suspended.',
    });
    const forged = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)) };
    for (const headers of [forged, { ...forged, 'webhook-signature': `v1,${'A'.repeat(43)}=` }])
      expect((await call(url, { method: 'POST', body: '{"data":{}}', headers })).status).to.equal(401);
  });
});

async function answering(url: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
    if (await fetch(url, { method: 'POST' }).catch(() => undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the receiver did not start');
}
