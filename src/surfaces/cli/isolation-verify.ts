import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { Route } from '../../http/route-table.ts';
import { type Command, jsonFlag, UsageFault, type Values } from './command.ts';
import { manyAddresses } from './isolation/call.ts';
import { directly, through, type Transport } from './isolation/transport.ts';

type Value = Values[string];

const summary = `Try to cross from one app to another, at every route, against the running server.

Makes two throw-away apps with people, clients and tokens, carries everything of the one to the
other, and deletes both afterwards, whatever happens. Their names (isolation-a-…, isolation-b-…)
stay taken for ever, as every app's. Exit code 1: something crossed, a route is not covered, or
a credential that was tried was dead. Needs ADMIN_API_KEY; docs/isolation.md says more.`;

export const isolationVerify: Command = {
  name: 'isolation verify',
  summary,
  flags: {
    ...jsonFlag,
    url: { type: 'string', note: 'Where the server listens; without it, requests go to BASE_URL.' },
    only: {
      type: 'string',
      note: 'Only routes that contain this text. Proves less, and the report says so.',
    },
    forwarded: {
      type: 'boolean',
      note: 'Come from many addresses by X-Forwarded-For: quicker where TRUSTED_PROXIES names this machine.',
    },
  },
  async run({ program, values, print }) {
    const config = loadConfig();
    const adminKey = config.adminApiKey?.reveal();
    if (adminKey === undefined)
      throw new UsageFault('ADMIN_API_KEY is not set: the apps are made through the Admin API.');
    const transport = transportTo(values['url']);
    const all = await program.routes(config);
    const routes = chosen(all, values['only']);
    await requireAnswer(transport, config.baseUrl, values['url']);
    const stopped = new AbortController();
    const stop = (): void => stopped.abort(new Error('stopped; the throw-away apps were deleted'));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
    // Loaded for this command alone: a server carries none of it.
    const { isSound, verifyIsolation } = await import('./isolation/verify.ts');
    const { reportText } = await import('./isolation/report.ts');
    const report = await verifyIsolation({
      baseUrl: config.baseUrl,
      adminKey,
      routes,
      all: all.length,
      mailbox: inboxOf(config, transport),
      from: values['forwarded'] ? manyAddresses : undefined,
      transport,
      signal: stopped.signal,
    });
    print.out(values['json'] ? JSON.stringify(report, null, 2) : reportText(report));
    return isSound(report) ? 0 : 1;
  },
};

function transportTo(url: Value): Transport {
  if (typeof url !== 'string') return directly;
  if (!/^https?:\/\/[^/]+\/?$/.test(url) || !URL.canParse(url))
    throw new UsageFault(`--url ${url} is no address like http://127.0.0.1:4000.`);
  return through(url);
}

function chosen(routes: readonly Route[], only: Value): readonly Route[] {
  if (typeof only !== 'string') return routes;
  const found = routes.filter(({ method, path }) => `${method} ${path}`.includes(only));
  if (found.length === 0) throw new UsageFault(`--only ${only}: no route contains that.`);
  return found;
}

/** One line for what would otherwise be the failure of some step or other. */
async function requireAnswer(transport: Transport, baseUrl: string, url: Value): Promise<void> {
  const asked = { method: 'GET', url: `${baseUrl}/.well-known/openid-configuration`, headers: {} };
  const at = typeof url === 'string' ? `${url} for ${baseUrl}` : baseUrl;
  const answer = await transport(asked, AbortSignal.timeout(20_000)).catch((cause: unknown) => {
    throw new Error(`no server answers at ${at}`, { cause });
  });
  if (answer.status !== 200)
    throw new Error(`what answers at ${at} is not its server: ${answer.status} ${answer.text.slice(0, 200)}`);
}

/** Mail can be read where it goes to the development inbox. */
function inboxOf(config: Config, transport: Transport): ((address: string) => Promise<string[]>) | undefined {
  if (config.environment !== 'development' || !config.isLoopback || config.smtpUrl) return undefined;
  const url = `${config.baseUrl}/dev/inbox.json`;
  return async (address) => {
    const { text } = await transport({ method: 'GET', url, headers: {} }, AbortSignal.timeout(20_000));
    const mails = JSON.parse(text) as { to: string; text: string }[];
    return mails.filter(({ to }) => to === address).map((mail) => mail.text);
  };
}
