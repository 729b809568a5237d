import { createHash, randomBytes } from 'node:crypto';
import type { Agent, Page } from '../support/agent.ts';
import { LINK, linkIn, type TestLatchkey } from '../support/app.ts';

export const PASSWORD = 'violet harbour ninety lamps';
export const REDIRECT_URI = 'https://shop.example/callback';

let numbers = 0;
export const freshEmail = (): string =>
  `person-${(numbers += 1)}-${randomBytes(3).toString('hex')}@example.com`;

/** An app with a public client of the same name, made through the Admin API. */
export async function makeApp(
  lk: TestLatchkey,
  settings: Record<string, unknown> = {},
  redirectUri = REDIRECT_URI,
): Promise<string> {
  const appId = `shop-${randomBytes(4).toString('hex')}`.replace(/-(\d)/, '-x$1');
  const app = { app_id: appId, name: 'Corner Shop', type: 'spa', redirect_uris: [redirectUri], settings };
  const { status, body } = await lk.admin('POST', '/apps', app);
  if (status !== 201) throw new Error(`no app: ${status} ${JSON.stringify(body)}`);
  return appId;
}

export async function makeUser(
  lk: TestLatchkey,
  appId: string,
  user: Record<string, unknown> = {},
): Promise<{ userId: string; email: string }> {
  const email = freshEmail();
  const { status, body } = await lk.admin('POST', `/apps/${appId}/users`, {
    email,
    password: PASSWORD,
    email_verified: true,
    ...user,
  });
  if (status !== 201) throw new Error(`no user: ${status} ${JSON.stringify(body)}`);
  return { userId: body.user_id, email };
}

const verifier = randomBytes(32).toString('base64url');

export function authorizeUrl(baseUrl: string, appId: string, extra: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    client_id: appId,
    response_type: 'code',
    scope: 'openid email',
    redirect_uri: REDIRECT_URI,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...extra,
  });
  return `${baseUrl}/auth/${appId}/authorize?${query.toString()}`;
}

/** Goes to the app's sign-in page as an app would send a person there. */
export const begin = (agent: Agent, appId: string, extra: Record<string, string> = {}): Promise<Page> =>
  agent.open(authorizeUrl(agent.origin, appId, extra));

export const isSignedIn = (page: Page): boolean =>
  page.url.startsWith(REDIRECT_URI) && new URL(page.url).searchParams.has('code');

/** Redeems the code that a sign-in ended with; what the winner of a race has must still work. */
export async function redeem(
  lk: TestLatchkey,
  appId: string,
  page: Page,
): Promise<{ status: number; claims: Record<string, unknown> }> {
  const response = await fetch(`${lk.baseUrl}/auth/${appId}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: new URL(page.url).searchParams.get('code') ?? '',
      client_id: appId,
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
    }),
  });
  const body = (await response.json()) as { id_token?: string };
  const claims = body.id_token
    ? JSON.parse(Buffer.from(body.id_token.split('.')[1]!, 'base64url').toString())
    : {};
  return { status: response.status, claims };
}

export async function signInWithPassword(
  agent: Agent,
  appId: string,
  email: string,
  password: string = PASSWORD,
): Promise<Page> {
  return agent.submit(await begin(agent, appId), { email, password }, { ending: '/password' });
}

/** Asks for a sign-in link and returns the page that says so, and the mailed link if one came. */
export async function askForLink(agent: Agent, page: Page, email: string): Promise<Page> {
  return agent.submit(
    page,
    { email, password: '' },
    {
      ending: '/password',
      action: `${new URL(page.url).pathname.replace(/\/(password|magic-link.*)$/, '')}/magic-link`,
    },
  );
}

/** Asks for six digits by mail, as the button of the sign-in page does. */
export const askForCode = (agent: Agent, page: Page, email: string): Promise<Page> =>
  agent.submit(
    page,
    { email, password: '' },
    {
      ending: '/password',
      action: `${new URL(page.url).pathname.replace(/\/(password|email-code.*)$/, '')}/email-code`,
    },
  );

export async function linkTo(lk: TestLatchkey, email: string, count = 1): Promise<string> {
  await lk.mailsTo(email, count);
  // A mail that tells of a new browser may overtake it.
  return linkIn(await lk.mailWith(email, LINK));
}

export const codeOn = (page: Page): string | undefined =>
  /class="digits" value="(\d{6})"/.exec(page.html)?.[1];

/** The sixteen answers to one form, sent at once. */
export async function sixteen<T>(work: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: 16 }, (_, i) => work(i)));
}
