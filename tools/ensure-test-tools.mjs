// Finds or installs what the tests need and npm does not have: Chromium and a Redis server, from the
// distribution's packages. Without root the packages are unpacked into tools/.cache and used from there.
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './ensure-dependencies.mjs';

const cache = join(root, 'tools', '.cache');
const unpacked = join(cache, 'root');
const wrappers = join(cache, 'bin');

const tools = [
  {
    variable: 'CHROMIUM_PATH',
    package: 'chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    unpackedProgram: 'usr/lib/chromium/chromium',
  },
  {
    variable: 'REDIS_SERVER_PATH',
    package: 'redis-server',
    programs: ['redis-server', 'valkey-server'],
    unpackedProgram: 'usr/bin/redis-server',
  },
];

/** `{ CHROMIUM_PATH, REDIS_SERVER_PATH }`. Ends the process with instructions when one is not to be had. */
export function ensureTestTools() {
  const missing = tools.filter((tool) => find(tool) === undefined);
  if (missing.length > 0) install(missing);
  const still = tools.filter((tool) => find(tool) === undefined);
  for (const tool of still) {
    console.error(
      `the tests need ${tool.programs[0]}: apt-get install ${tool.package} (as root), or set ${tool.variable} to the program`,
    );
  }
  if (still.length > 0) process.exit(1);
  return Object.fromEntries(tools.map((tool) => [tool.variable, find(tool)]));
}

function find(tool) {
  const named = process.env[tool.variable];
  if (named) return isExecutable(named) ? named : undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', wrappers];
  for (const program of tool.programs) {
    const folder = folders.find((each) => isExecutable(join(each, program)));
    if (folder !== undefined) return join(folder, program);
  }
  return undefined;
}

function install(missing) {
  const packages = missing.map((tool) => tool.package);
  if (run('apt-get', ['--version'], { stdio: 'ignore' }) !== 0) return;
  console.log(`installing for the tests: ${packages.join(', ')}`);
  if (process.getuid() === 0) return aptInstall([], packages);
  if (run('sudo', ['-n', 'true'], { stdio: 'ignore' }) === 0) return aptInstall(['sudo', '-n'], packages);
  unpackWithoutRoot(missing);
}

function aptInstall(prefix, packages) {
  const apt = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-qq',
    '-o',
    'DPkg::Lock::Timeout=300',
  ];
  // Redis must not start as a service of the machine: the tests run their own.
  const quiet = ['-o', 'Dpkg::Options::=--force-confold', '--no-install-recommends', '-y', 'install'];
  const attempt = () =>
    run(apt[0], [...apt.slice(1), ...quiet, ...packages], { stdio: ['ignore', 'ignore', 'inherit'] });
  run(apt[0], [...apt.slice(1), 'update'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (attempt() !== 0) attempt();
}

// apt resolves and downloads for anybody who gives it folders of his own; dpkg -x only unpacks.
function unpackWithoutRoot(missing) {
  for (const folder of ['lists/partial', 'archives/partial', 'root', 'bin'])
    mkdirSync(join(cache, folder), { recursive: true });
  const own = ['-qq', '-o', `Dir::State::Lists=${join(cache, 'lists')}`, '-o', `Dir::Cache=${cache}`];
  own.push('-o', `Dir::Cache::Archives=${join(cache, 'archives')}`, '-o', 'Debug::NoLocking=1');
  const output = { stdio: ['ignore', 'ignore', 'inherit'] };
  if (run('apt-get', [...own, 'update'], output) !== 0) return;
  const packages = missing.map((tool) => tool.package);
  if (
    run(
      'apt-get',
      [...own, '--no-install-recommends', '-y', '--download-only', 'install', ...packages],
      output,
    ) !== 0
  )
    return;
  for (const name of readdirSync(join(cache, 'archives')).filter((each) => each.endsWith('.deb'))) {
    run('dpkg', ['-x', join(cache, 'archives', name), unpacked], output);
  }
  for (const tool of missing) writeWrapper(tool);
}

function writeWrapper(tool) {
  const program = join(unpacked, tool.unpackedProgram);
  if (!existsSync(program)) return;
  const folders = ['usr/lib', 'lib'].map((folder) => join(unpacked, folder)).filter(existsSync);
  const ofArchitecture = folders.flatMap((folder) =>
    subfolders(folder).filter((name) => name.endsWith('-linux-gnu')),
  );
  // Some packages keep libraries a level deeper and rely on a search path that only an installation sets (pulseaudio).
  const deeper = ofArchitecture
    .flatMap(subfolders)
    .filter((folder) => readdirSync(folder).some((name) => name.includes('.so')));
  const libraries = [...folders, ...ofArchitecture, ...deeper];
  const wrapper = join(wrappers, tool.programs[0]);
  writeFileSync(wrapper, `#!/bin/sh\nLD_LIBRARY_PATH='${libraries.join(':')}' exec '${program}' "$@"\n`);
  chmodSync(wrapper, 0o755);
}

function subfolders(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

function run(command, args, options) {
  return spawnSync(command, args, options).status;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, value] of Object.entries(ensureTestTools())) console.log(`${name}=${value}`);
}
