import { expect } from 'chai';
import type { TestLatchkey } from './app.ts';
import { REDIRECT, type TestClient } from './sign-in.ts';
import { call } from './token-calls.ts';

/** Changes something through the Admin API. */
export async function change(latchkey: TestLatchkey, path: string, body: object): Promise<void> {
  const changed = await latchkey.admin('PATCH', path, body);
  expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
}

/** A client of the app `shop`, for browsers where nothing else is said. */
export async function makeClient(latchkey: TestLatchkey, body: object): Promise<TestClient> {
  const web = { name: 'Client', type: 'web', redirect_uris: [REDIRECT] };
  const made = await latchkey.admin('POST', '/apps/shop/clients', { ...web, ...body });
  expect(made.status, JSON.stringify(made.body)).to.equal(201);
  return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
}

/** How many answers the server has given without the protocol library. */
export async function directAnswers({ baseUrl }: TestLatchkey): Promise<number> {
  const { text } = await call(`${baseUrl}/metrics`);
  return Number(/^latchkey_direct_answers_total (\d+)$/m.exec(text)?.[1] ?? 0);
}
