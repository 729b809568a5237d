// Renders every page with sample models, photographs it and runs axe on it. Exit code 1 when axe or the CSP objects.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
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
import { MAIL_NAMES } from '../src/http/mails.ts';
import { t } from '../src/http/messages.ts';
import { createViews } from '../src/http/views.ts';
import { type SamplePage, samplePages, WOLF } from '../test/http/sample-pages.ts';

type Shot = { url: string; file: string; context: BrowserContextOptions; axe: boolean };

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'screenshots');
const PHONE = { viewport: { width: 390, height: 844 } };
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const WITHOUT_SCRIPTS = new Set([
  'sign-in/sign-in',
  'sign-up/sign-up',
  'device/enter',
  'device/confirm',
  'account/sessions',
]);
const TRANSLATED: Record<string, readonly string[]> = {
  ar: [
    'account/identifiers',
    'account/activity',
    'sign-in/sign-in',
    'sign-in/magic-link/sent',
    'sign-in/magic-link/other-browser',
    'consent/consent',
    'consent/consent.introduced',
    'sign-up/sign-up',
    'device/enter',
    'device/confirm',
    'device/done',
    'device/denied',
    'account/sessions',
    'account/apps',
    'session/sign-out',
  ],
  de: ['sign-in/sign-in', 'sign-in/magic-link/other-browser', 'consent/consent'],
  ja: ['sign-in/sign-in'],
};
const only = process.argv[2];

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const assets = createAssets(join(ROOT, 'views/assets'));
const views = createViews({ viewsDir: join(ROOT, 'views'), assets });

const pagesIn = (locale: string): SamplePage[] =>
  samplePages((key, values) => t(locale, key, values), locale);
const pathOf = (locale: string, page: SamplePage): string =>
  `/${locale}/${page.view}${page.variant ? `.${page.variant}` : ''}`;

function serve(): Koa {
  const server = new Koa();
  server.use(assets.middleware);
  server.use((ctx) => {
    const [, locale = 'en', ...rest] = ctx.path.split('/');
    const mail = rest[0] === 'mail' ? rest[1] : undefined;
    if (mail !== undefined) {
      const url = 'https://id.example/auth/wolf-banana/magic-link?token=3q2-7wEAAACk1Xo9tq0M';
      const model = { app_name: 'Wolf Banana', url, place: 'Lisbon, Portugal', device: 'Firefox on Windows' };
      const shown = mail === 'email-code' ? { ...model, code: '482913' } : model;
      ctx.body = views.renderMail(mail, shown, { locale, app: WOLF }).html;
      ctx.type = 'html';
      return;
    }
    const page = pagesIn(locale).find((candidate) => pathOf(locale, candidate) === ctx.path);
    if (page === undefined) return;
    const nonce = 'c2FtcGxl';
    ctx.set(
      'Content-Security-Policy',
      `default-src 'none'; style-src 'self' 'nonce-${nonce}'; script-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
    ctx.type = 'html';
    ctx.body = views.renderPage(page.view, page.model, { locale, nonce, app: page.app });
  });
  return server;
}

function shotsOf(origin: string, path: string, name: string, extra: BrowserContextOptions = {}): Shot[] {
  const shots: Shot[] = [];
  for (const [device, size] of [
    ['phone', PHONE],
    ['desktop', DESKTOP],
  ] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const file = join(OUT, `${name}.${device}.${colorScheme}.png`);
      shots.push({
        url: origin + path,
        file,
        context: { ...size, colorScheme, ...extra },
        axe: extra.javaScriptEnabled !== false,
      });
    }
  }
  return shots;
}

function plan(origin: string): Shot[] {
  const shots: Shot[] = [];
  for (const page of pagesIn('en')) {
    const path = pathOf('en', page);
    const name = path.slice('/en/'.length).replaceAll('/', '--');
    shots.push(...shotsOf(origin, path, name));
    if (WITHOUT_SCRIPTS.has(page.view) && page.variant === undefined) {
      shots.push(...shotsOf(origin, path, `${name}.no-script`, { javaScriptEnabled: false }));
    }
  }
  for (const [locale, wanted] of Object.entries(TRANSLATED)) {
    for (const view of wanted)
      shots.push(...shotsOf(origin, `/${locale}/${view}`, `${view.replaceAll('/', '--')}.${locale}`));
  }
  for (const mail of MAIL_NAMES) shots.push(...shotsOf(origin, `/en/mail/${mail}`, `mail--${mail}`));
  shots.push(...shotsOf(origin, '/ar/mail/magic-link', 'mail--magic-link.ar'));
  return only === undefined ? shots : shots.filter(({ file }) => file.includes(only));
}

const contexts = new Map<string, Promise<BrowserContext>>();

function contextFor(browser: Browser, options: BrowserContextOptions): Promise<BrowserContext> {
  const key = JSON.stringify(options);
  const context = contexts.get(key) ?? browser.newContext(options);
  contexts.set(key, context);
  return context;
}

async function take(browser: Browser, shot: Shot): Promise<string[]> {
  const context = await contextFor(browser, shot.context);
  const complaints: string[] = [];
  const page = await context.newPage();
  try {
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    const response = await page.goto(shot.url);
    if (response?.status() !== 200) complaints.push(`status ${response?.status()}`);
    await page.screenshot({ path: shot.file, fullPage: true });
    if (shot.axe) complaints.push(...(await violationsOn(page, shot.url.includes('/mail/'))));
    const sideways = shot.axe && (await page.evaluate('document.documentElement.scrollWidth > innerWidth'));
    if (sideways) complaints.push('scrolls sideways');
  } finally {
    await page.close();
  }
  return complaints.map((complaint) => `${shot.file.slice(OUT.length + 1)}: ${complaint}`);
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
  await page.evaluate(axeSource);
  const found = (await page.evaluate(
    `axe.run(document, {runOnly: ${JSON.stringify(rules)}}).then((r) => r.violations.map((v) => v.id + ': ' + v.help + ' ' + v.nodes.map((n) => n.target + ' ' + (n.any[0]?.message ?? '')).join(' | ')))`,
  )) as string[];
  return found;
}

async function main(): Promise<void> {
  if (only === undefined) rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const server = serve().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const queue = plan(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const total = queue.length;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  const complaints: string[] = [];
  const worker = async (): Promise<void> => {
    for (let shot = queue.shift(); shot !== undefined; shot = queue.shift())
      complaints.push(...(await take(browser, shot)));
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  await browser.close();
  server.close();
  for (const complaint of complaints) console.error(complaint);
  console.log(`${total} screenshots in ${OUT}, ${complaints.length} complaints`);
  process.exitCode = complaints.length === 0 ? 0 : 1;
}

await main();
