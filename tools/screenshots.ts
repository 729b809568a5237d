// Renders every page with sample models, photographs it and runs axe on it. Exit code 1 when axe or the CSP objects.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import Koa from 'koa';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { createAssets } from '../src/http/assets.ts';
import { encodeLogo } from '../src/apps/logo/encode.ts';
import { MAIL_NAMES } from '../src/http/mails.ts';
import { t } from '../src/http/messages.ts';
import { createViews } from '../src/http/views.ts';
import { type SamplePage, samplePages, FJORD, ORBIT, WOLF } from '../test/http/sample-pages.ts';

type Shot = {
  url: string;
  name: string;
  context: BrowserContextOptions;
  axe: boolean;
  /** Whether both devices are photographed in both schemes; else each in one. */
  isWhole: boolean;
};

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'screenshots');
type Device = 'phone' | 'desktop';
const SIZES: Record<Device, { width: number; height: number }> = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
};
const schemesOf = (shot: Shot, device: Device) =>
  shot.isWhole
    ? (['light', 'dark'] as const)
    : device === 'phone'
      ? (['light'] as const)
      : (['dark'] as const);
const WITHOUT_SCRIPTS = new Set([
  'sign-in/sign-in',
  'sign-up/sign-up',
  'device/enter',
  'device/confirm',
  'account/sessions',
]);
/** In Arabic everything that people see is turned round, so that all of it is looked at. */
const TRANSLATED: Record<string, (view: string) => boolean> = {
  ar: (view) => !/^(?:dev|home)\//.test(view),
  de: (view) => ['sign-in/sign-in', 'sign-in/magic-link/other-browser', 'consent/consent'].includes(view),
  ja: (view) => ['sign-in/sign-in', 'account/factors'].includes(view),
};
const only = process.argv[2];

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const assets = createAssets(join(ROOT, 'views/assets'));
const views = createViews({ viewsDir: join(ROOT, 'views'), assets });

/** Pictures as apps might have them: one that is a sign, and one that is a name. */
const LOGOS: Record<string, Buffer> = {
  '/sample-logo.png': await drawn(192, 192, (x, y) => {
    const [far, moon] = [Math.hypot(x - 96, y - 96), Math.hypot(x - 150, y - 42)];
    if (moon < 26) return [242, 183, 5];
    return far < 40 || (far > 70 && far < 88 && moon > 38) ? [91, 46, 229] : undefined;
  }),
  '/sample-name.png': await drawn(480, 120, (x, y) =>
    Math.abs(y - 60 - 26 * Math.sin(x / 38)) < 12 || Math.abs(y - 60 - 26 * Math.cos(x / 38)) < 5
      ? [179, 38, 30]
      : undefined,
  ),
};

type Colour = readonly [number, number, number];

async function drawn(
  width: number,
  height: number,
  at: (x: number, y: number) => Colour | undefined,
): Promise<Buffer> {
  const rgba = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const colour = at(x, y);
      if (colour) rgba.set([...colour, 255], (y * width + x) * 4);
    }
  return (await encodeLogo({ width, height, rgba })).png;
}

const pagesIn = (locale: string): SamplePage[] =>
  samplePages((key, values) => t(locale, key, values), locale);
const pathOf = (locale: string, page: SamplePage): string =>
  `/${locale}/${page.view}${page.variant ? `.${page.variant}` : ''}`;

function serve(): Koa {
  const server = new Koa();
  server.use(assets.middleware);
  server.use((ctx) => {
    const logo = LOGOS[ctx.path];
    if (logo !== undefined) {
      ctx.type = 'image/png';
      ctx.body = logo;
      return;
    }
    const [, locale = 'en', ...rest] = ctx.path.split('/');
    const mail = rest[0] === 'mail' ? rest[1] : undefined;
    if (mail !== undefined) {
      const url = 'https://id.example/auth/wolf-banana/magic-link?token=3q2-7wEAAACk1Xo9tq0M';
      const model = {
        app_name: 'Wolf Banana',
        passkey: 'iCloud Keychain',
        requested_at: '2026-11-21T09:41:00Z',
        url,
        place: 'Lisbon, Portugal',
        device: { browser: 'Firefox', os: 'Windows' },
      };
      const app = mail === 'invitation' ? ORBIT : mail === 'reset' ? FJORD : WOLF;
      const shown = { ...model, app_name: app.name, ...(mail === 'email-code' ? { code: '482913' } : {}) };
      ctx.body = views.renderMail(mail, shown, { locale, app }).html;
      ctx.type = 'html';
      return;
    }
    const page = pagesIn(locale).find((candidate) => pathOf(locale, candidate) === ctx.path);
    if (page === undefined) return;
    const nonce = 'c2FtcGxl';
    ctx.set(
      'Content-Security-Policy',
      `default-src 'none'; style-src 'self' 'nonce-${nonce}'; script-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
    ctx.type = 'html';
    ctx.body = views.renderPage(page.view, page.model, { locale, nonce, app: page.app });
  });
  return server;
}

function shotOf(origin: string, path: string, name: string, extra: BrowserContextOptions = {}): Shot {
  const context: BrowserContextOptions = { reducedMotion: 'reduce', ...extra };
  return {
    url: origin + path,
    name,
    context,
    axe: extra.javaScriptEnabled !== false,
    isWhole: !/^\/(?!en\/)/.test(path),
  };
}

function plan(origin: string): Shot[] {
  const shots: Shot[] = [];
  for (const page of pagesIn('en')) {
    const path = pathOf('en', page);
    const name = path.slice('/en/'.length).replaceAll('/', '--');
    shots.push(shotOf(origin, path, name));
    if (WITHOUT_SCRIPTS.has(page.view) && page.variant === undefined) {
      shots.push(shotOf(origin, path, `${name}.no-script`, { javaScriptEnabled: false }));
    }
  }
  for (const [locale, isWanted] of Object.entries(TRANSLATED)) {
    for (const page of pagesIn(locale).filter(({ view }) => isWanted(view))) {
      const path = pathOf(locale, page);
      const name = path.slice(`/${locale}/`.length).replaceAll('/', '--');
      shots.push(shotOf(origin, path, `${name}.${locale}`));
    }
  }
  for (const mail of MAIL_NAMES)
    for (const [locale, mark] of Object.entries({ en: '', ar: '.ar' }))
      shots.push(shotOf(origin, `/${locale}/mail/${mail}`, `mail--${mail}${mark}`));
  return only === undefined ? shots : shots.filter(({ name }) => name.includes(only));
}

const contexts = new Map<string, Promise<BrowserContext>>();

function contextFor(browser: Browser, options: BrowserContextOptions): Promise<BrowserContext> {
  const key = JSON.stringify(options);
  const context = contexts.get(key) ?? browser.newContext(options);
  contexts.set(key, context);
  return context;
}

/**
 * Opened once for each device, and looked at in both schemes. The size of the screen is there before the page.
 */
async function take(browser: Browser, shot: Shot, device: Device): Promise<string[]> {
  const size = SIZES[device];
  const context = await contextFor(browser, { ...shot.context, viewport: size, screen: size });
  const complaints: string[] = [];
  const page = await context.newPage();
  try {
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`${shot.name}: ${message.text()}`);
    });
    const response = await page.goto(shot.url);
    if (response?.status() !== 200) complaints.push(`${shot.name}: status ${response?.status()}`);
    if (shot.axe) await page.evaluate(axeSource);
    for (const colorScheme of schemesOf(shot, device)) {
      const file = `${shot.name}.${device}.${colorScheme}.png`;
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      writeFileSync(join(OUT, file), await picture(page));
      if (!shot.axe) continue;
      const found = await violationsOn(page, shot.url.includes('/mail/'));
      if (await page.evaluate('document.documentElement.scrollWidth > innerWidth'))
        found.push('scrolls sideways');
      complaints.push(...found.map((fault) => `${file}: ${fault}`));
    }
  } finally {
    await page.close();
  }
  return complaints;
}

/**
 * The first one after a page was drawn sometimes shows a part of it twice, because the browser makes its surface longer for
 * it and has not drawn the rest yet: what comes out the same twice is what is there.
 */
async function picture(page: Page): Promise<Buffer> {
  for (let last = await page.screenshot({ fullPage: true }), tries = 0; ; tries += 1) {
    const next = await page.screenshot({ fullPage: true });
    if (next.equals(last) || tries === 5) return next;
    last = next;
  }
}

// A mail program brings its own landmarks, so a mail is held to WCAG only.
async function violationsOn(page: Page, isMail: boolean): Promise<string[]> {
  const rules = [
    'wcag2a',
    'wcag2aa',
    'wcag21a',
    'wcag21aa',
    'wcag22aa',
    ...(isMail ? [] : ['best-practice']),
  ];
  const found = (await page.evaluate(
    `axe.run(document, {resultTypes: ['violations'], runOnly: ${JSON.stringify(rules)}}).then((r) => r.violations.map((v) => v.id + ': ' + v.help + ' ' + v.nodes.map((n) => n.target + ' ' + (n.any[0]?.message ?? '')).join(' | ')))`,
  )) as string[];
  return found;
}

async function main(): Promise<void> {
  if (only === undefined) rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const server = serve().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const shots = plan(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const queue = shots.flatMap((shot) => (['phone', 'desktop'] as const).map((device) => ({ shot, device })));
  let pictures = 0;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  const complaints: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      complaints.push(...(await take(browser, next.shot, next.device)));
      pictures += schemesOf(next.shot, next.device).length;
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  await browser.close();
  server.close();
  for (const complaint of complaints) console.error(complaint);
  console.log(`${pictures} screenshots in ${OUT}, ${complaints.length} complaints`);
  process.exitCode = complaints.length === 0 ? 0 : 1;
}

await main();
