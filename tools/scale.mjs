// `npm run test:scale`: suites of ours on other engines than those of `npm test`. What is not installed is named and left out,
// visibly; `-- cluster pgbouncer` runs those alone, and `-- --require` makes it an error when something is left out.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';
import { root } from './ensure-dependencies.mjs';
import { underNode } from './under-node.mjs';

const { node, ensureTestTools } = await underNode(import.meta.url);
const tools = ensureTestTools();

const behaviour = [
  'test/oidc/main-job.test.ts',
  'test/oidc/codes.test.ts',
  'test/oidc/races.test.ts',
  'test/oidc/device-flow.test.ts',
  'test/oidc/pushed-requests.test.ts',
  'test/sign-in/magic-link.test.ts',
  'test/sign-in/second-factor.test.ts',
  'test/sign-in/email-code.test.ts',
];
const matrix = ['test/isolation/matrix.test.ts'];
/** Client libraries as their documentation configures them, and a real browser. */
const browser = [
  'test/interop/suite.ts',
  'test/e2e/relying-parties.test.ts',
  'test/e2e/passkeys.test.ts',
  'test/e2e/isolation.test.ts',
  'test/e2e/scanner.test.ts',
  'test/sign-in/scanner.test.ts',
];
/** Every page without scripts; takes as long as all of these. */
const walk = ['test/e2e/plain-walk.ts'];
/** Stands in for the name servers, which it can in this process only. */
const domain = ['test/e2e/custom-domain.test.ts'];

const pgbouncer = {
  variable: 'PGBOUNCER_PATH',
  path: process.env.PGBOUNCER_PATH ?? '/usr/sbin/pgbouncer',
  how: 'apt-get install pgbouncer (as root), or set PGBOUNCER_PATH to the program',
};
const newPgbouncer = {
  ...pgbouncer,
  lacks: () =>
    knowsNames(pgbouncer.path)
      ? undefined
      : `${versionOf(pgbouncer.path)} knows no named statements, 1.21 does`,
};
const valkey = {
  variable: 'VALKEY_SERVER_PATH',
  path: process.env.VALKEY_SERVER_PATH ?? '/usr/bin/valkey-server',
  how: 'apt-get install valkey-server (as root; Debian 13, or bookworm-backports), or set VALKEY_SERVER_PATH to the program',
};
const redis = { path: tools.REDIS_SERVER_PATH };

/** What is run, in this order; for each with `browser` there is a part `browser-NAME` beside it. */
const arrangements = {
  failover: { title: 'Redis: a master dies', needs: redis, files: ['test/scale/redis-failover.ts'] },
  cluster: {
    title: 'Redis Cluster, six nodes',
    needs: redis,
    env: { TEST_ENGINE: 'cluster' },
    files: ['test/storage/ephemeral.test.ts', ...behaviour, ...matrix],
    browser: [...browser, ...domain, ...walk],
  },
  sentinel: {
    title: 'Redis with three Sentinels',
    needs: redis,
    env: { TEST_ENGINE: 'sentinel' },
    files: ['test/storage/ephemeral.test.ts', ...behaviour.slice(0, 4)],
  },
  valkey: {
    title: 'Valkey',
    needs: valkey,
    env: { REDIS_SERVER_PATH: valkey.path },
    files: [
      'test/storage/ephemeral.test.ts',
      'test/storage/artifact-cache.test.ts',
      'test/faults/outages.test.ts',
      'test/scale/redis-failover.ts',
      ...behaviour.slice(0, 4),
    ],
  },
  pooler: {
    title: 'PgBouncer: one connection for two apps',
    needs: pgbouncer,
    files: ['test/scale/pgbouncer.ts'],
  },
  pgbouncer: {
    title: 'PgBouncer in transaction mode, unprepared',
    needs: pgbouncer,
    env: { TEST_ENGINE: 'pgbouncer', TEST_POOLER: 'unprepared' },
    files: ['test/storage/row-level-security.test.ts', ...behaviour, ...matrix],
    browser: [...browser, ...domain],
  },
  prepared: {
    title: 'PgBouncer in transaction mode, prepared',
    needs: newPgbouncer,
    env: { TEST_ENGINE: 'pgbouncer', TEST_POOLER: 'prepared' },
    files: ['test/storage/row-level-security.test.ts', ...behaviour],
    browser,
  },
  replica: {
    title: 'A streaming standby for lists',
    needs: { path: node },
    files: ['test/scale/replica.ts'],
  },
  sizes: { title: 'What a person and an app take', needs: redis, files: ['test/scale/sizes.ts'] },
  processes: {
    title: 'WEB_CONCURRENCY=2, every request answered by the other process',
    needs: redis,
    env: { TEST_ENGINE: 'processes' },
    files: behaviour,
    browser: [...browser, ...walk],
  },
};

/** Named statements through PgBouncer in transaction mode: from 1.21 on. */
function knowsNames(path) {
  const [, major, minor] = /PgBouncer (\d+)\.(\d+)/.exec(versionOf(path)) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

const parts = Object.fromEntries(
  Object.entries(arrangements).flatMap(([name, { browser: inBrowser, ...part }]) => [
    [name, part],
    ...(inBrowser
      ? [[`browser-${name}`, { ...part, title: `${part.title}, in the browser`, files: inBrowser }]]
      : []),
  ]),
);

const given = process.argv.slice(2);
const wanted = given.filter((argument) => !argument.startsWith('-'));
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`there is no ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
  process.exit(1);
}

const results = [];
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const lacks = existsSync(part.needs.path) ? part.needs.lacks?.() : `${part.needs.path} is not there`;
  if (lacks) {
    console.log(`\n${part.title}\n  SKIPPED: ${lacks}: ${part.needs.how}`);
    results.push({ name, outcome: 'SKIPPED', seconds: 0, version: '-' });
    continue;
  }
  const version = versionOf(part.needs.path);
  console.log(`\n${part.title}: ${version}`);
  const began = Date.now();
  const mocha = [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...part.files];
  const code = await run(node, mocha, { env: { ...tools, ...part.env }, cwd: root });
  if (code > 128) process.exit(code);
  const seconds = Math.round((Date.now() - began) / 1000);
  results.push({ name, outcome: code === 0 ? 'green' : 'RED', seconds, version });
}

console.log('');
for (const { name, outcome, seconds, version } of results)
  console.log(`${outcome.padEnd(8)}${name.padEnd(19)}${String(seconds).padStart(4)} s  ${version}`);
const failing = given.includes('--require') ? ['RED', 'SKIPPED'] : ['RED'];
process.exit(results.some(({ outcome }) => failing.includes(outcome)) ? 1 : 0);

function versionOf(path) {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return (stdout ?? '').split('\n')[0].replace(/ sha=.*/, '');
}
