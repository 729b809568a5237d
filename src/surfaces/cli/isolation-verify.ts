import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { type Command, jsonFlag, UsageFault } from './command.ts';
import { reportText } from './isolation/report.ts';
import { isSound, verifyIsolation } from './isolation/verify.ts';

const summary = `Try to cross from one app to another, at every route, against the running server.

Makes two throw-away apps with people, clients and tokens, carries everything of the one to the
other, and deletes both afterwards, whatever happens. Their names (isolation-a-…, isolation-b-…)
stay taken for ever, as every app's. Exit code 1: something crossed, a route is not covered, or
a credential that was tried was dead. Needs ADMIN_API_KEY; docs/isolation.md says more.`;

export const isolationVerify: Command = {
  name: 'isolation verify',
  summary,
  flags: { ...jsonFlag, url: { type: 'string', note: 'Where the server is; without it, BASE_URL.' } },
  async run({ program, values, print }) {
    const config = loadConfig();
    const adminKey = config.adminApiKey?.reveal();
    if (adminKey === undefined)
      throw new UsageFault('ADMIN_API_KEY is not set: the apps are made through the Admin API.');
    const baseUrl = typeof values['url'] === 'string' ? values['url'].replace(/\/$/, '') : config.baseUrl;
    const stopped = new AbortController();
    const stop = (): void => stopped.abort(new Error('stopped; the throw-away apps were deleted'));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
    const report = await verifyIsolation({
      baseUrl,
      adminKey,
      routes: program.routes(config),
      mailbox: inboxOf(config, baseUrl),
      signal: stopped.signal,
    });
    print.out(values['json'] ? JSON.stringify(report, null, 2) : reportText(report));
    return isSound(report) ? 0 : 1;
  },
};

/** Mail can be read where it goes to the development inbox. */
function inboxOf(config: Config, baseUrl: string): ((address: string) => Promise<string[]>) | undefined {
  if (config.environment !== 'development' || !config.isLoopback || config.smtpUrl) return undefined;
  return async (address) => {
    const mails = (await (await fetch(`${baseUrl}/dev/inbox.json`)).json()) as { to: string; text: string }[];
    return mails.filter(({ to }) => to === address).map(({ text }) => text);
  };
}
