import cluster from 'node:cluster';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { createLogger } from '../../telemetry/log.ts';
import type { Command } from './command.ts';

export const start: Command = {
  name: 'start',
  summary: 'Bring the schema up to date and serve. The default.',
  async run({ program, print }) {
    const config = loadConfig();
    const log = createLogger(config);
    // Of several processes the first says what there is to say.
    const isFirst = cluster.isPrimary;
    if (isFirst) for (const warning of config.warnings) log.warn({}, warning);
    const server = await program.start(config, log);
    if (!isFirst) log.debug({}, 'ready');
    else if (config.environment === 'development') print.out(welcome(config, program.version));
    else log.info({ version: program.version, base_url: config.baseUrl }, 'ready');
    const signal = await new Promise<NodeJS.Signals>((resolve) => {
      for (const one of ['SIGTERM', 'SIGINT'] as const) process.once(one, resolve);
    });
    log.info({ signal }, 'stopping: requests under way are finished first');
    await server.close();
    // Nothing should be left to wait for; what is (a stuck socket) must not keep the process.
    setTimeout(() => process.exit(0), 1000).unref();
    return 0;
  },
};

function welcome(config: Config, version: string): string {
  return [
    '',
    `  Latchkey ${version} is running.`,
    '',
    `  Issuer       ${config.baseUrl}   (each app also has its own: ${config.baseUrl}/auth/{app_id})`,
    ...(config.isLoopback
      ? [
          `  Playground   ${config.baseUrl}/dev/playground   sign up and see the tokens`,
          `  Inbox        ${config.baseUrl}/dev/inbox   every mail that is sent`,
        ]
      : []),
    `  Admin API    ${config.baseUrl}/api/docs${config.adminApiKeyPath ? `   key in ${config.adminApiKeyPath}` : ''}`,
    '',
    '  Next: open the playground and sign in. Ctrl+C stops everything.',
    '',
  ].join('\n');
}
