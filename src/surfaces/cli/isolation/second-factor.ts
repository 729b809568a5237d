import { createHmac } from 'node:crypto';
import { type Browser, formOf } from './browser.ts';
import { beginSignIn, type Guarded, random, type Side, type Stage, type Waiting } from './side.ts';

type Place = Pick<Side, 'appId' | 'redirectUri'>;

/** Somebody who sets up an authenticator app, lets a browser off with a recovery code, and stands before the second step in another. */
export async function guardSomebody(stage: Stage, side: Place): Promise<Guarded> {
  const { appId } = side;
  const person = { email: `guarded-${random().toLowerCase()}@example.com`, password: random() };
  await stage.admin('POST', `/apps/${appId}/users`, { ...person, email_verified: true });
  const account = `${stage.baseUrl}/auth/${appId}/account/factors`;
  const { browser: owner } = await withPassword(stage, side, person);
  const setup = formOf(await owner.open(`${account}/totp`), '/factors/totp');
  const secret = /secret=([A-Z2-7]+)/.exec((await owner.open(`${account}/totp`)).text)?.[1] ?? '';
  const shown = await owner.open(setup.action, { ...setup.fields, code: codeOf(secret) });
  const [first, second] = [...shown.text.matchAll(/<li><code>([0-9a-z-]+)<\/code>/g)].map(
    ([, code]) => code!,
  );
  if (first === undefined || second === undefined)
    throw new Error(`no recovery codes at ${appId}: ${shown.status}`);
  const { browser, page } = await withPassword(stage, side, person);
  const form = formOf(await browser.open(page.url.replace(/totp$/, 'recovery-code')), '/recovery-code');
  await browser.open(form.action, { ...form.fields, code: first, remember_device: 'yes' });
  const overview = (await browser.open(account)).text;
  const deviceId = /\/devices\/(dev_[0-9a-f]+)\/forget/.exec(overview)?.[1];
  if (deviceId === undefined) throw new Error(`no browser was let off the second factor at ${appId}`);
  const pending = await withPassword(stage, side, person);
  return { ...person, browser, deviceId, pending, recoveryCode: second, seed: secret };
}

/** As far as the password leads: to the app, or to the second factor. */
export async function withPassword(
  stage: Stage,
  side: Place,
  person: { email: string; password: string },
  from?: Browser,
): Promise<Waiting> {
  const waiting = await beginSignIn(stage, side, from);
  const form = formOf(waiting.page, '/password');
  const { email, password } = person;
  const page = await waiting.browser.open(form.action, { ...form.fields, email, password });
  return { ...waiting, page };
}

/** RFC 6238 by the book, as an authenticator app would; `ahead`: of so many half-minutes from now. */
export function codeOf(secret: string, ahead = 0): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac.at(-1)! & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
