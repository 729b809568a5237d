import { createHash, randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Page } from '../support/agent.ts';
import { totpCode } from '../support/totp.ts';
import { type Entry, type History, isFailed, Lost } from './history.ts';
import type { Chain, Ledger } from './ledger.ts';
import { linkOf, type MailSink } from './mail-sink.ts';

export const PASSWORD = 'violet harbour ninety lamps';
export const REDIRECT = 'https://shop.example/callback';

export type Shop = { appId: string; secret: string };
export type Person = { email: string; userId: string; appId: string };
/** Somebody with an authenticator app. */
export type Careful = Person & { secret: string; lastStep: number };

/** What every sender works on. */
export type Scene = {
  baseUrl: string;
  adminKey: string;
  history: History;
  ledger: Ledger;
  mails: MailSink;
  shop: Shop;
  strict: Shop;
  people: readonly Person[];
  /** Told of every ID and access token, for drills that verify them. */
  onToken?: (token: string, issuer: string) => void;
  /** What is sent once arrives twice. */
  isRepeated?: boolean;
  isOver: () => boolean;
};

type Answer = { status: number; body: any; headers: Headers };

export const newAgent = (scene: Pick<Scene, 'baseUrl'>, fetcher?: typeof fetch): Agent =>
  // From everywhere: one network may try only so many secrets.
  new Agent(scene.baseUrl, { 'x-forwarded-for': `10.${[...randomBytes(3)].join('.')}` }, fetcher);

/** One that sends requests and writes down what it was told. */
export class Sender {
  readonly scene: Scene;
  readonly name: string;
  readonly fetcher: ReturnType<History['fetcherOf']>;

  constructor(scene: Scene, name: string) {
    this.scene = scene;
    this.name = name;
    this.fetcher = scene.history.fetcherOf(name);
  }

  /** Longer where answers take long: a machine that is busy with other things is not to be drowned. */
  pause(least = 100, most = 600): Promise<void> {
    const took = this.last?.took ?? 0;
    return sleep(randomInt(least, most) + Math.min(3000, Number.isFinite(took) ? took : 0));
  }

  get last(): Entry | undefined {
    return this.fetcher.last();
  }

  /** The last answer was not what had to be expected. */
  unmet(why: string): undefined {
    const entry = this.last;
    if (entry && !isFailed(entry)) {
      entry.isUnmet = true;
      entry.said = `${why}: ${entry.said}`;
    }
    return undefined;
  }

  async post(path: string, shop: Shop, form: Record<string, string>): Promise<Answer> {
    const login = Buffer.from(`${shop.appId}:${shop.secret}`).toString('base64');
    return read(
      await this.fetcher(`${this.scene.baseUrl}${path}`, {
        method: 'POST',
        headers: { authorization: `Basic ${login}`, accept: 'application/json' },
        body: new URLSearchParams(form),
      }),
    );
  }

  async admin(method: string, path: string, body?: unknown): Promise<Answer> {
    return read(
      await this.fetcher(`${this.scene.baseUrl}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.scene.adminKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  }
}

async function read(answer: Response): Promise<Answer> {
  const text = await answer.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return { status: answer.status, body, headers: answer.headers };
}

/** A sign-in that has begun. */
export type Begun = { agent: Agent; page: Page; verifier: string; issuer: string; shop: Shop };

export async function begin(
  sender: Sender,
  shop: Shop,
  agent = newAgent(sender.scene, sender.fetcher),
): Promise<Begun | undefined> {
  // Own issuer or shared one.
  const issuer = randomInt(2) === 0 ? '' : `/auth/${shop.appId}`;
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: shop.appId,
    response_type: 'code',
    scope: 'openid email offline_access',
    redirect_uri: REDIRECT,
    state: randomBytes(8).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const page = await agent.open(`${issuer}/authorize?${query.toString()}`);
  const begun = { agent, page, verifier, issuer, shop };
  return page.status === 200 || codeIn(page)
    ? begun
    : sender.unmet(`no sign-in page at ${page.url.split('?')[0]}`);
}

export const codeIn = (page: Page): string | undefined =>
  page.url.startsWith(REDIRECT) ? (new URL(page.url).searchParams.get('code') ?? undefined) : undefined;

/** Sends the form with a proof that ends the sign-in. What the person is told is written down; `isAlone`: nobody else may win. */
export async function prove(
  sender: Sender,
  { userId, isAlone = true }: { userId: string; isAlone?: boolean },
  send: () => Promise<Page>,
): Promise<string | undefined> {
  const { ledger } = sender.scene;
  const page = await send().catch((error: unknown) => {
    ledger.unknown('sign_in.succeeded', userId);
    throw error;
  });
  const code = codeIn(page);
  if (code) {
    ledger.acknowledged('sign_in.succeeded', userId);
    return code;
  }
  ledger.unknown('sign_in.succeeded', userId);
  return isAlone ? sender.unmet(noCodeAt(page)) : undefined;
}

const noCodeAt = (page: Page): string => `no code at ${page.url.split('?')[0]}`;

export const byPassword = (sender: Sender, begun: Begun, person: Person): Promise<string | undefined> =>
  prove(sender, person, () =>
    begun.agent.submit(begun.page, { email: person.email, password: PASSWORD }, { ending: '/password' }),
  );

/** Password, then the code of the authenticator app. A used code is sometimes tried again, elsewhere. */
export async function byTotp(
  sender: Sender,
  careful: Careful,
): Promise<{ begun: Begun; code: string } | undefined> {
  const { ledger } = sender.scene;
  if (stepOf(careful) === undefined) return undefined;
  const asked = await askedForTotp(sender, careful);
  // A new half-minute may have begun while the page was on its way.
  const step = stepOf(careful);
  if (!asked || step === undefined) return undefined;
  const digits = totpCode(careful.secret, step.ahead);
  careful.lastStep = step.number;
  const key = `${careful.userId} ${digits}`;
  const type = (page: Page, agent: Agent): Promise<Page> =>
    agent.submit(page, { code: digits }, { ending: '/second-factor/totp' });
  const code = await prove(sender, careful, () => type(asked.page, asked.agent));
  if (!code) return undefined;
  ledger.succeeded('totp', key, code);
  if (randomInt(3) === 0) {
    const again = await askedForTotp(sender, careful);
    const second = again && codeIn(await type(again.page, again.agent));
    if (second) ledger.succeeded('totp', key, second);
  }
  return { begun: asked, code };
}

/** A half-minute whose code this one has not used, now or next. */
function stepOf({ lastStep }: Careful): { ahead: number; number: number } | undefined {
  const now = Math.floor(Date.now() / 30_000);
  return [0, 1].map((ahead) => ({ ahead, number: now + ahead })).find(({ number }) => number > lastStep);
}

async function askedForTotp(sender: Sender, careful: Careful): Promise<Begun | undefined> {
  const begun = await begin(sender, sender.scene.strict);
  if (!begun) return undefined;
  const fields = { email: careful.email, password: PASSWORD };
  const page = await begun.agent.submit(begun.page, fields, { ending: '/password' });
  return page.html.includes('/second-factor/totp') ? { ...begun, page } : sender.unmet('no page for a code');
}

/** Somebody new, made by an operator, who signs in with a mailed link. The button is sometimes pressed twice. */
export async function byLink(sender: Sender): Promise<{ begun: Begun; code: string } | undefined> {
  const { ledger } = sender.scene;
  const person = await newPerson(sender);
  if (!person) return undefined;
  const begun = await begin(sender, sender.scene.shop);
  if (!begun) return undefined;
  const link = await mailedLink(sender, begun, person);
  if (!link) return undefined;
  const page = await begun.agent.open(new URL(link).pathname);
  if (page.status !== 200) return sender.unmet('the link leads nowhere');
  const times = randomInt(4) === 0 ? 2 : 1;
  const codes = await Promise.all(
    Array.from({ length: times }, (_, i) =>
      i === 0
        ? prove(sender, { ...person, isAlone: times === 1 }, () => begun.agent.submit(page, {}))
        : begun.agent.submit(page, {}).then(codeIn, () => {}),
    ),
  );
  const [code] = codes.filter((one) => one !== undefined);
  for (const one of codes) if (one) ledger.succeeded('magic link', link, one);
  if (!code) return times === 1 ? undefined : sender.unmet(noCodeAt(page));
  // The second press may have been the one that won.
  if (codes[0] === undefined) ledger.unknown('sign_in.succeeded', person.userId);
  ledger.usedLinks.push(link);
  return { begun, code };
}

export async function newPerson(sender: Sender): Promise<Person | undefined> {
  const { ledger, shop } = sender.scene;
  const email = `p-${randomBytes(9).toString('hex')}@example.com`;
  const made = await sender.admin('POST', `/apps/${shop.appId}/users`, { email, email_verified: true });
  if (made.status !== 201) return sender.unmet('nobody was made');
  const userId = made.body.user_id as string;
  ledger.users.push({ userId, email });
  ledger.acknowledged('user.created', userId);
  return { email, userId, appId: shop.appId };
}

/** Asks for a link, as the button of the sign-in page does. */
export async function askForLink(sender: Sender, begun: Begun, person: Person): Promise<boolean> {
  const { ledger, history } = sender.scene;
  const action = `${new URL(begun.page.url).pathname}/magic-link`;
  const fields = { email: person.email, password: '' };
  const sent = await begun.agent
    .submit(begun.page, fields, { ending: '/password', action })
    .catch((error: unknown) => {
      ledger.unknown('magic_link.requested', person.userId);
      throw error;
    });
  if (sent.status !== 200) {
    ledger.unknown('magic_link.requested', person.userId);
    sender.unmet('no link was sent');
    return false;
  }
  ledger.acknowledged('magic_link.requested', person.userId);
  ledger.links.push({ email: person.email, at: history.now() });
  return true;
}

async function mailedLink(sender: Sender, begun: Begun, person: Person): Promise<string | undefined> {
  const { mails, isOver } = sender.scene;
  if (!(await askForLink(sender, begun, person))) return undefined;
  // As long as somebody looks at an inbox. Mail that comes later is looked for in the end.
  for (let i = 0; i < 100 && !isOver(); i += 1) {
    const link = linkTo(mails, person.email);
    if (link) return link;
    await sleep(50);
  }
  return undefined;
}

export const linkTo = (mails: MailSink, email: string): string | undefined =>
  mails.mails
    .filter(({ to }) => to === email)
    .map(linkOf)
    .find((link) => link !== undefined);

/** The code becomes tokens; sometimes it is sent twice at once, which must give tokens once. */
export async function redeem(sender: Sender, begun: Begun, code: string): Promise<Chain | undefined> {
  const { ledger, onToken, baseUrl, isRepeated } = sender.scene;
  const { issuer, shop, verifier } = begun;
  const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier };
  const twice = randomInt(5) === 0;
  const begunAt = performance.now();
  const answers = await Promise.all([
    sender.post(`${issuer}/token`, shop, form),
    ...(twice ? [sender.post(`${issuer}/token`, shop, form).catch(() => undefined)] : []),
  ]);
  const good = answers.filter((answer) => answer?.status === 200);
  for (const answer of good) ledger.succeeded('code', code, answer!.body.access_token);
  const [answer] = good;
  if (!answer)
    return answers[0]!.status === 400 && !twice ? sender.unmet('the code is worth nothing') : undefined;
  const { access_token: access, refresh_token: refresh, id_token: idToken } = answer.body;
  for (const token of [access, idToken]) onToken?.(token, `${baseUrl}${issuer}`);
  const claims = claimsOf(access);
  const userId = String(claims['sub']);
  // A second redemption that comes two seconds after the first ends what that gave (RFC 6749 §4.1.2).
  const mayHaveEnded =
    ((twice || isRepeated) && performance.now() - begunAt > 1500) || ledger.sessionsEnding.has(userId);
  const chain: Chain = {
    issuer,
    appId: shop.appId,
    userId,
    grantId: String(claims['gid']),
    access,
    refresh,
    given: [access],
    used: [],
    revoked: mayHaveEnded ? 'unknown' : 'no',
    isUnsure: false,
    isLost: false,
  };
  ledger.chains.push(chain);
  ledger.redeemed.push({ chain, code, verifier });
  return chain;
}

export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

export async function introspect(
  sender: Sender,
  chain: Chain,
  token = chain.access,
): Promise<boolean | undefined> {
  const { ledger, history } = sender.scene;
  const askedAt = history.now();
  const { status, body } = await sender.post(`${chain.issuer}/introspect`, shopOf(sender.scene, chain), {
    token,
  });
  if (status !== 200) return undefined;
  if (body.active === true) ledger.sawActive(token, askedAt, 'introspection');
  else if (chain.revoked === 'no' && token === chain.access) sender.unmet('a live token is not active');
  return body.active === true;
}

export async function userinfo(sender: Sender, chain: Chain): Promise<void> {
  const { ledger, history, baseUrl } = sender.scene;
  const askedAt = history.now();
  const headers = { authorization: `Bearer ${chain.access}` };
  const answer = await sender.fetcher(`${baseUrl}${chain.issuer}/userinfo`, { headers });
  if (answer.status === 200) ledger.sawActive(chain.access, askedAt, 'userinfo');
  else if (answer.status < 500 && chain.revoked === 'no') sender.unmet('a live token is refused');
}

/** Until it is known what became of it. A token that no answer came for is sent again, as clients do. */
export async function refresh(sender: Sender, chain: Chain): Promise<boolean> {
  const { ledger, onToken, baseUrl, isOver } = sender.scene;
  const form = { grant_type: 'refresh_token', refresh_token: chain.refresh };
  for (let tries = 0; tries < 100 && !isOver(); tries += 1) {
    const answer = await sender
      .post(`${chain.issuer}/token`, shopOf(sender.scene, chain), form)
      .catch((error: unknown) => {
        if (error instanceof Lost) return undefined;
        throw error;
      });
    if (answer?.status === 200) {
      const { access_token: access, refresh_token: successor, id_token: idToken } = answer.body;
      ledger.succeeded('refresh', chain.refresh, successor);
      chain.used.push(chain.refresh);
      for (const token of [access, idToken]) onToken?.(token, `${baseUrl}${chain.issuer}`);
      chain.access = access;
      chain.given.push(access);
      chain.refresh = successor;
      chain.isUnsure = false;
      return true;
    }
    if (answer && answer.status < 500) {
      if (chain.revoked !== 'no') return false;
      // The answer that was lost may have been the one with the successor, longer ago than the grace.
      if (chain.isUnsure) chain.isLost = true;
      else {
        sender.unmet('a live refresh token is refused');
        chain.refusal = `a live refresh token is refused: ${JSON.stringify(answer.body)}`;
        chain.revoked = 'unknown';
      }
      return false;
    }
    chain.isUnsure = true;
    await sender.pause(500, 1000);
  }
  return false;
}

export const shopOf = (
  { shop, strict }: Pick<Scene, 'shop' | 'strict'>,
  { appId }: { appId: string },
): Shop => (appId === shop.appId ? shop : strict);

/** The client gives the grant back, or an operator takes it; or one access token alone is denied. */
export async function revoke(sender: Sender, chain: Chain): Promise<void> {
  const { ledger, history } = sender.scene;
  const shop = shopOf(sender.scene, chain);
  const kind = (['refresh', 'grant', 'access'] as const)[randomInt(3)]!;
  if (kind === 'access') {
    const { access: token, issuer, appId } = chain;
    chain.given = chain.given.filter((one) => one !== token);
    const done = await sender.post(`${issuer}/revoke`, shop, { token });
    if (done.status === 200) ledger.revoked({ token, issuer, appId, at: history.now() });
    else sender.unmet('not revoked');
    return;
  }
  // What became of the last one is not known, so neither is what there is to revoke.
  if (chain.isUnsure) ledger.unknown('grant.revoked', chain.userId);
  chain.revoked = 'unknown';
  const done = await (kind === 'refresh'
    ? sender.post(`${chain.issuer}/revoke`, shop, { token: chain.refresh })
    : sender.admin('DELETE', `/apps/${chain.appId}/users/${chain.userId}/grants/${chain.grantId}`)
  ).catch((error: unknown) => {
    ledger.unknown('grant.revoked', chain.userId);
    throw error;
  });
  if (done.status !== 200 && done.status !== 204) {
    ledger.unknown('grant.revoked', chain.userId);
    sender.unmet('not revoked');
    return;
  }
  chain.revoked = 'acknowledged';
  if (!chain.isUnsure) ledger.acknowledged('grant.revoked', chain.userId);
  for (const token of [...chain.given, chain.refresh])
    ledger.revoked({ token, issuer: chain.issuer, appId: chain.appId, at: history.now() });
  await introspect(sender, chain);
}
