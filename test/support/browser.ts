import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', // Chromium's sandbox does not work as root, nor in most containers
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * The caller closes it. Needs CHROMIUM_PATH, which `npm test` sets, or Chromium at Debian's place. `leading`: rules of its
 * name resolution (`MAP a.example:443 127.0.0.1:8443`).
 */
export async function launchBrowser(leading: string[] = []): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) {
    throw new Error(
      `no browser at ${executablePath}: run \`node tools/ensure-test-tools.mjs\` or set CHROMIUM_PATH`,
    );
  }
  const rules = leading.length
    ? // What leads elsewhere is there with a certificate that nobody signed; what the browser fetches by itself asks no context.
      [`--host-resolver-rules=${leading.join(',')}`, '--ignore-certificate-errors']
    : [];
  return chromium.launch({ executablePath, args: [...FLAGS, ...rules] });
}

/** A browser profile of its own: nothing of another context's cookies or storage. */
export async function newContext(
  browser: Browser,
  options: Pick<
    BrowserContextOptions,
    'javaScriptEnabled' | 'colorScheme' | 'viewport' | 'locale' | 'reducedMotion' | 'ignoreHTTPSErrors'
  > = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(30_000);
  return context;
}

const PATIENCE_MS = 60_000;

/**
 * The answer, or an error that names what never came. `evaluate`, `count` and raw protocol messages have no limit of their
 * own: a browser that hangs in one would take the test's whole time and tell nothing.
 */
export function within<T>(what: string, answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the browser hangs: ${what}`)), PATIENCE_MS);
  return Promise.race([answer, promise]).finally(() => clearTimeout(timer));
}
