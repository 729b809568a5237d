import { expect } from 'chai';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { within } from '../support/browser.ts';
import { LINK, linkIn, type TestLatchkey } from '../support/app.ts';
import type { IssuerKind, RelyingParty, Visit } from './relying-party.ts';

export const PASSWORD = 'seven quiet lanterns ashore';

/** Where a person's page is, for messages of failed expectations. */
async function whatIsShown(page: Page): Promise<string> {
  return `${page.url()}: ${(
    await page
      .locator('body')
      .innerText()
      .catch(() => '?')
  ).slice(0, 600)}`;
}

export const howMany = (found: Locator): Promise<number> => within(`count ${found}`, found.count());

/** Presses a button or link by its words and waits for the page that follows. */
export async function press(page: Page, name: string | RegExp): Promise<void> {
  const target = page
    .getByRole('button', { name, exact: true })
    .or(page.getByRole('link', { name, exact: true }));
  const found = await howMany(target);
  if (found !== 1) throw new Error(`${found} times ${name} at ${await whatIsShown(page)}`);
  await Promise.all([page.waitForEvent('load'), target.click()]);
}

/** Follows what the app's own "sign in" does, to the page that asks who it is. */
export async function goToSignIn(
  page: Page,
  party: RelyingParty,
  at: IssuerKind,
  parameters: Record<string, string> = {},
): Promise<void> {
  await page.goto(party.loginUrl(at, parameters));
  expect(await howMany(page.locator('input[name=email]')), await whatIsShown(page)).to.equal(1);
}

export async function typePassword(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.fill('input[name=email]', email);
  await page.fill('input[name=password]', password);
  await press(page, 'Sign in');
}

export async function askForLink(page: Page, email: string): Promise<void> {
  await page.fill('input[name=email]', email);
  await press(page, 'E-mail me a sign-in link');
}

export async function newestLink(latchkey: TestLatchkey, email: string, count = 1): Promise<string> {
  await latchkey.mailsTo(email, count);
  // A mail that tells of a new browser may overtake it.
  return linkIn(await latchkey.mailWith(email, LINK));
}

/** The visit that has ended on this page with tokens. */
export async function signedInAt(
  page: Page,
  party: RelyingParty,
): Promise<Visit & { tokens: NonNullable<Visit['tokens']> }> {
  if (!page.url().startsWith(`${party.origin}/signed-in/`))
    throw new Error(`not signed in to ${party.appId}: ${await whatIsShown(page)}`);
  return party.visitAt(page.url()) as Visit & { tokens: NonNullable<Visit['tokens']> };
}

export async function signInByPassword(page: Page, party: RelyingParty, at: IssuerKind, email: string) {
  await goToSignIn(page, party, at);
  await typePassword(page, email);
  return signedInAt(page, party);
}

/** `prompt=none`: the `sub` that the browser is signed in as, or the OAuth error. */
export async function askSilently(page: Page, party: RelyingParty, at: IssuerKind): Promise<string> {
  await page.goto(party.loginUrl(at, { prompt: 'none' }));
  const { tokens, error } = party.visitAt(page.url());
  return tokens ? String(tokens.claims['sub']) : (error ?? 'no answer');
}

/** Sign-out as an app begins it, with the page that asks once more. */
export async function signOut(
  page: Page,
  party: RelyingParty,
  visit: { library: Visit['library']; tokens: NonNullable<Visit['tokens']> },
): Promise<void> {
  await page.goto(visit.library.signOutUrl(visit.tokens, party.signedOutUrl).href);
  await press(page, 'Sign out');
  expect(page.url()).to.match(new RegExp(`^${party.signedOutUrl}`));
}

export async function sessionCookies(context: BrowserContext): Promise<string[]> {
  return (await context.cookies())
    .map(({ name }) => name)
    .filter((name) => name.includes('lk_ses.') && !name.endsWith('.sig'))
    .toSorted();
}

export async function makeUser(latchkey: TestLatchkey, appId: string, email: string): Promise<string> {
  const user = { email, password: PASSWORD, email_verified: true, profile: { name: 'Ada Lovelace' } };
  const created = await latchkey.admin('POST', `/apps/${appId}/users`, user);
  if (created.status !== 201)
    throw new Error(`user ${email}: ${created.status} ${JSON.stringify(created.body)}`);
  return created.body.user_id;
}
