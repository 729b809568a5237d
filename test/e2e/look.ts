import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { within } from '../support/browser.ts';

export type Look = { device: 'phone' | 'desktop'; scheme: 'light' | 'dark'; axe: boolean };

/**
 * Every width and both schemes are measured; axe runs once for each width and once for each scheme. The two pairs that are
 * left are looked at with the sample of every page (`npm run screenshots`).
 */
export const LOOKS: readonly Look[] = [
  { device: 'phone', scheme: 'light', axe: true },
  { device: 'desktop', scheme: 'dark', axe: true },
];

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENSHOTS = new URL('../../screenshots/live', import.meta.url).pathname;

type Found = { id: string; nodes: { target: string[]; failureSummary: string }[] };

/** Pictures of a whole run take as long as all the rest of it: `LIVE_SCREENSHOTS=1` asks for them. */
const KEEPS_PICTURES = Boolean(process.env['LIVE_SCREENSHOTS']);

/** Looks at the page as it stands in each look and tells every fault found. */
export async function faultsOf(page: Page, name: string, looks: readonly Look[]): Promise<string[]> {
  const faults: string[] = [];
  if (looks.some(({ axe }) => axe)) await ask(page, AXE);
  for (const { device, scheme, axe } of looks) {
    const where = `${name} (${device}, ${scheme})`;
    await page.setViewportSize(SIZES[device]);
    await page.emulateMedia({ colorScheme: scheme });
    await settled(page);
    const beyond = Number(await ask(page, 'document.documentElement.scrollWidth - innerWidth'));
    if (beyond > 0) faults.push(`${where}: ${beyond} px wider than the screen`);
    if (axe) faults.push(...(await violations(page)).map((violation) => `${where}: ${violation}`));
    if (!KEEPS_PICTURES) continue;
    mkdirSync(join(SCREENSHOTS, `${device}-${scheme}`), { recursive: true });
    await page.screenshot({ path: join(SCREENSHOTS, `${device}-${scheme}`, `${name}.png`), fullPage: true });
  }
  return faults;
}

function ask(page: Page, script: string): Promise<unknown> {
  return within(`${script.slice(0, 60)} at ${page.url()}`, page.evaluate(script));
}

/**
 * Colours fade into each other: measured half-way they are neither those of light nor of dark. They are brought to their end,
 * not waited for, because a browser that draws no frames never comes to it.
 */
async function settled(page: Page): Promise<void> {
  await ask(page, 'for (const animation of document.getAnimations()) animation.finish()');
}

async function violations(page: Page): Promise<string[]> {
  const found = (await ask(
    page,
    'axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations)',
  )) as Found[];
  return found.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id} at ${node.target.join(' ')}: ${node.failureSummary}`),
  );
}

const sizes = new Map<string, Promise<number>>();

/** Their addresses are made of what they hold, so that each is asked for once. */
function sizeOf(url: string): Promise<number> {
  const known =
    sizes.get(url) ??
    fetch(url, { headers: { 'accept-encoding': 'br' } }).then(async (answer) => {
      await answer.arrayBuffer();
      return Number(answer.headers.get('content-length'));
    });
  sizes.set(url, known);
  return known;
}

/** Bytes of the page and of all that it loads, as they travel to somebody who comes for the first time; and whatever it asks of another origin. */
export async function weigh(page: Page, origin: string): Promise<{ bytes: number; foreign: string[] }> {
  const urls = (await ask(
    page,
    "[...document.querySelectorAll('link[href], script[src], img[src]')].map((one) => one.href || one.src)",
  )) as string[];
  const weights = await Promise.all(urls.map(sizeOf));
  const html = Buffer.byteLength(await page.content());
  return {
    bytes: weights.reduce((sum, size) => sum + size, html),
    foreign: urls.filter((url) => new URL(url).origin !== origin),
  };
}
