import Koa, { type Context } from 'koa';
import { Secret } from '../../src/config/secret.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { HttpDeps } from '../../src/http/http-deps.ts';
import { outerMiddleware } from '../../src/http/outer-middleware.ts';
import type { EphemeralStore } from '../../src/storage/ephemeral.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

export { Secret };

const base = loadConfig({
  env: { BASE_URL: 'http://localhost:3000', LATCHKEY_ENV: 'development' },
  cwd: '/nonexistent',
  dataDirWritable: false,
});

export const sampleConfig = (changes: Partial<Config> = {}): Config => ({ ...base, ...changes });

/** Pages come out as JSON: what matters here is which page, with what. */
const views: HttpDeps['views'] = {
  renderPage: (name, model, options) => `<html>${JSON.stringify({ name, model, options })}</html>`,
  renderMail: (name) => ({ from_name: 'App', subject: name, html: '<p>', text: '' }),
};

export type SampleServer = { app: Koa; lines: string[]; deps: HttpDeps };

/** The outer middleware with one handler behind it, and the lines it logs. */
export function sampleServer(
  handler: (ctx: Context) => unknown,
  changes: Partial<Config> = {},
): SampleServer {
  const lines: string[] = [];
  const log = createLogger(
    { logLevel: 'debug', logFormat: 'json' },
    { write: (line: string) => void lines.push(line) },
  );
  const deps: HttpDeps = {
    config: sampleConfig(changes),
    log,
    metrics: createMetrics(),
    views,
    store: {} as EphemeralStore,
    csrfKey: Buffer.alloc(32, 7),
  };
  const app = new Koa();
  app.silent = true;
  for (const middleware of outerMiddleware(deps)) app.use(middleware);
  app.use(async (ctx) => {
    await handler(ctx);
  });
  return { app, lines, deps };
}

export const pageOf = (
  html: string,
): { name: string; model: Record<string, unknown>; options: Record<string, unknown> } =>
  JSON.parse(html.replace(/^<html>|<\/html>$/g, ''));
