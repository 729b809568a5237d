import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigFaults } from './config/faults.ts';
import { checkConfig, loadConfig } from './config/load.ts';
import { startLatchkey } from './app.ts';
import { migrateOnly } from './open-stores.ts';
import { createLogger } from './telemetry/log.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

type Command = { summary: string; run(args: string[]): Promise<number> };

const commands: Record<string, Command> = {
  start: { summary: 'Bring the schema up to date and serve. The default.', run: start },
  migrate: { summary: 'Bring the schema up to date and stop.', run: migrate },
  'check-config': { summary: 'Say what is wrong with the configuration. Changes nothing.', run: check },
  healthcheck: {
    summary: 'Ask the server of this configuration whether it is ready: for containers.',
    run: healthcheck,
  },
};

const [name = 'start', ...args] = process.argv.slice(2);
if (name === 'help' || name === '--help' || name === '-h' || args.includes('--help')) {
  console.log(help(name));
} else if (name === '--version') {
  console.log(version);
} else if (!Object.hasOwn(commands, name)) {
  console.error(`There is no command "${name}".\n\n${help('help')}`);
  process.exitCode = 2;
} else {
  commands[name]!.run(args).then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      console.error(error instanceof ConfigFaults ? error.message : plainly(error));
      process.exitCode = 1;
    },
  );
}

async function start(): Promise<number> {
  const config = loadConfig();
  const log = createLogger(config);
  for (const warning of config.warnings) log.warn({}, warning);
  const latchkey = await startLatchkey({ config, log, version, root });
  if (config.environment === 'development') console.log(welcome(config));
  else log.info({ version, base_url: config.baseUrl }, 'ready');
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const one of ['SIGTERM', 'SIGINT'] as const) process.once(one, resolve);
  });
  log.info({ signal }, 'stopping: requests under way are finished first');
  await latchkey.close();
  // Nothing should be left to wait for; what is (a stuck socket) must not keep the process.
  setTimeout(() => process.exit(0), 1000).unref();
  return 0;
}

function welcome(config: ReturnType<typeof loadConfig>): string {
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

async function migrate(): Promise<number> {
  const config = loadConfig();
  const applied = await migrateOnly({
    config,
    log: createLogger(config),
    migrationsDir: join(root, 'migrations'),
  });
  console.log(applied.length ? `Applied: ${applied.join(', ')}` : 'The schema is up to date.');
  return 0;
}

function check(): Promise<number> {
  const { faults, config } = checkConfig();
  for (const fault of faults) console.error(`${fault.variable}: ${fault.message}`);
  for (const warning of config?.warnings ?? []) console.error(`Note: ${warning}`);
  if (faults.length === 0)
    console.log(`The configuration is sound (${config!.environment}, ${config!.baseUrl}).`);
  return Promise.resolve(faults.length === 0 ? 0 : 1);
}

async function healthcheck(): Promise<number> {
  const { config } = checkConfig();
  const port = config?.port ?? 3000;
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(3000) });
    console.log(await response.text());
    return response.ok ? 0 : 1;
  } catch (error) {
    console.error(plainly(error));
    return 1;
  }
}

function help(topic: string): string {
  if (Object.hasOwn(commands, topic)) return `latchkey ${topic}\n\n${commands[topic]!.summary}`;
  const lines = Object.entries(commands).map(([command, { summary }]) => `  ${command.padEnd(14)}${summary}`);
  return `Latchkey ${version}\n\nUsage: latchkey [command]\n\n${lines.join('\n')}\n\nConfiguration comes from the environment; config/reference.md lists every variable.`;
}

/** The chain of causes in one line each; the stack is for bugs, which `start` logs. */
function plainly(error: unknown): string {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.message);
  return lines.join('\n  because ') || String(error);
}
