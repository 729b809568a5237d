import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { newContext } from '../support/browser.ts';
import { sessionCookies } from './person.ts';

/** What mail scanners, previews and prefetchers do with a link, each with cookies of its own. Returns what was pressed. */
export async function scan(
  browser: Browser,
  link: string,
): Promise<{ pressed: string[]; sessions: string[] }> {
  const sessions: string[] = [];
  for (const method of ['HEAD', 'GET', 'GET']) {
    const response = await fetch(link, { method, headers: { accept: 'text/html', purpose: 'prefetch' } });
    sessions.push(...response.headers.getSetCookie().filter((line) => line.includes('lk_ses')));
  }
  const clicking = await newContext(browser);
  const posting = await newContext(browser);
  const pressed = await pressEverything(clicking, link);
  await postEverything(posting, link);
  for (const context of [clicking, posting]) {
    sessions.push(...(await sessionCookies(context)));
    await context.close();
  }
  return { pressed, sessions };
}

/** Each button and link of the page, pressed on a fresh copy of it; then whatever stands first on the page it led to. */
async function pressEverything(context: BrowserContext, link: string): Promise<string[]> {
  const page = await context.newPage();
  const pressed: string[] = [];
  for (let i = 0; ; i += 1) {
    await page.goto(link);
    const targets = await targetsOn(page);
    if (i >= targets.length) return pressed;
    pressed.push(await press(page, targets[i]!));
    const [next] = await targetsOn(page);
    if (next) await press(page, next);
  }
}

/** Scripts of the scanner take away what would keep an unfilled form from being sent. */
async function targetsOn(page: Page): Promise<Locator[]> {
  await page.evaluate('for (const form of document.forms) form.noValidate = true');
  return page.locator('button:visible, a[href]:visible').all();
}

async function press(page: Page, target: Locator): Promise<string> {
  const words = (await target.innerText()).trim();
  const leadsOn = (await target.getAttribute('type')) !== 'button';
  await Promise.all([leadsOn ? page.waitForEvent('load') : undefined, target.click()]);
  return words;
}

/** Posts the fields of every form where it leads to, and to the link itself, from the page's origin, with its cookies. */
async function postEverything(context: BrowserContext, link: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(link);
  for (const form of await page.locator('form').all()) {
    const fields: Record<string, string> = {};
    for (const input of await form.locator('input[name]').all())
      fields[(await input.getAttribute('name'))!] = await input.inputValue();
    const action = new URL((await form.getAttribute('action'))!, link).href;
    for (const url of new Set([link, action])) {
      await context.request.post(url, {
        form: fields,
        headers: { origin: new URL(link).origin },
        maxRedirects: 0,
      });
    }
  }
}
