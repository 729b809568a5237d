import type { Browser, BrowserContext, Page } from 'playwright-core';
import { newContext } from '../support/browser.ts';
import { sessionCookies } from './person.ts';

/** What mail scanners, previews and prefetchers do with a link, each with cookies of its own. Returns what was pressed. */
export async function scan(browser: Browser, link: string): Promise<{ pressed: string[]; sessions: string[] }> {
  const sessions: string[] = [];
  for (const method of ['HEAD', 'GET', 'GET']) {
    const response = await fetch(link, { method, headers: { accept: 'text/html', purpose: 'prefetch' } });
    sessions.push(...response.headers.getSetCookie().filter((line) => line.includes('lk_ses')));
  }
  const clicking = await newContext(browser);
  const pressed = await pressEverything(clicking, link);
  const submitting = await newContext(browser);
  await submitEverything(submitting, link);
  for (const context of [clicking, submitting]) {
    sessions.push(...(await sessionCookies(context)));
    await context.close();
  }
  return { pressed, sessions };
}

/** Each button and link of the page, pressed on a fresh copy of it; then everything on the pages these lead to. */
async function pressEverything(context: BrowserContext, link: string): Promise<string[]> {
  const page = await context.newPage();
  const pressed: string[] = [];
  for (let i = 0; ; i += 1) {
    await page.goto(link);
    const targets = await targetsOn(page);
    if (i >= targets.length) return pressed;
    pressed.push(await press(page, targets[i]!));
    for (const next of await targetsOn(page)) if (await next.isVisible()) await press(page, next);
  }
}

const targetsOn = (page: Page) => page.locator('button, a[href], input[type=submit], [role=button]').all();

async function press(page: Page, target: Awaited<ReturnType<typeof targetsOn>>[number]): Promise<string> {
  const words = (await target.innerText()).trim();
  // Not everything leads to another page.
  await target.click({ noWaitAfter: true });
  await page.waitForLoadState('load');
  return words;
}

/** Sends each form as scripts can: past its buttons and its checks; and posts to the link itself with whatever fields were found. */
async function submitEverything(context: BrowserContext, link: string): Promise<void> {
  const page = await context.newPage();
  for (let i = 0; ; i += 1) {
    await page.goto(link);
    const forms = await page.locator('form').count();
    if (i >= forms) return;
    await page.evaluate(
      ({ index, to }) => {
        const form = document.forms[index]!;
        const body = new URLSearchParams(new FormData(form) as unknown as Record<string, string>);
        return Promise.all([to, `${to}/`, form.action].map((url) => fetch(url, { method: 'POST', body, redirect: 'manual' })));
      },
      { index: i, to: link },
    );
    await page.goto(link);
    if (i >= (await page.locator('form').count())) return;
    await Promise.all([page.waitForEvent('load'), page.evaluate((index) => document.forms[index]!.submit(), i)]);
  }
}
