import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

export type Look = { device: 'phone' | 'desktop'; scheme: 'light' | 'dark' };

export const LOOKS: readonly Look[] = [
  { device: 'phone', scheme: 'light' },
  { device: 'phone', scheme: 'dark' },
  { device: 'desktop', scheme: 'light' },
  { device: 'desktop', scheme: 'dark' },
];

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENSHOTS = new URL('../../screenshots/live', import.meta.url).pathname;

type Found = { id: string; nodes: { target: string[]; failureSummary: string }[] };

/** Looks at the page as it stands in each look, keeps a picture of each, and tells every fault found. */
export async function faultsOf(
  page: Page,
  name: string,
  looks: readonly Look[],
  options: { axe: boolean },
): Promise<string[]> {
  const faults: string[] = [];
  for (const { device, scheme } of looks) {
    const where = `${name} (${device}, ${scheme})`;
    await page.setViewportSize(SIZES[device]);
    await page.emulateMedia({ colorScheme: scheme });
    await settled(page);
    const beyond = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
    if (beyond > 0) faults.push(`${where}: ${beyond} px wider than the screen`);
    if (options.axe) faults.push(...(await violations(page)).map((violation) => `${where}: ${violation}`));
    mkdirSync(join(SCREENSHOTS, `${device}-${scheme}`), { recursive: true });
    await page.screenshot({ path: join(SCREENSHOTS, `${device}-${scheme}`, `${name}.png`), fullPage: true });
  }
  return faults;
}

/** Colours fade into each other: measured half-way they are neither those of light nor of dark. */
async function settled(page: Page): Promise<void> {
  await page.evaluate('Promise.all(document.getAnimations().map((animation) => animation.finished))');
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate('axe.run().then(({ violations }) => violations)')) as Found[];
  return found.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id} at ${node.target.join(' ')}: ${node.failureSummary}`),
  );
}

/** Bytes of the page and of all that it loads, uncompressed; and whatever it asks of another origin. */
export async function weigh(page: Page, origin: string): Promise<{ bytes: number; foreign: string[] }> {
  const urls = (await page.evaluate(
    "[...document.querySelectorAll('link[href], script[src], img[src]')].map((one) => one.href || one.src)",
  )) as string[];
  const sizes = await Promise.all(
    urls.map(async (url) => (await (await fetch(url)).arrayBuffer()).byteLength),
  );
  const html = Buffer.byteLength(await page.content());
  return {
    bytes: sizes.reduce((sum, size) => sum + size, html),
    foreign: urls.filter((url) => new URL(url).origin !== origin),
  };
}
