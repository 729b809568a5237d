// Makes sure that a Node.js new enough to run TypeScript is at hand. Plain old JavaScript: it runs on
// whatever Node the machine has. As npm's postinstall it also links node_modules/.bin/node, which npm
// puts first on PATH, so that every later `npm run` uses it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'tools', 'node');
const localNode = join(folder, 'node_modules', '.bin', 'node');

export function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 11);
}

/** The path of a Node.js >= 24.11, installed from npm if need be; undefined when there is none to be had. */
export function ensureNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  if (!runs(localNode)) install();
  if (!runs(localNode)) return undefined;
  link();
  return localNode;
}

// A leftover of another architecture or an interrupted installation exists and yet does not run.
function runs(path) {
  if (!existsSync(path)) return false;
  const { status, stdout } = spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  return status === 0 && isNewEnough(stdout.trim());
}

function install() {
  console.log(
    `Node.js ${process.versions.node} is too old for Latchkey; installing Node.js 24 into tools/node`,
  );
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=optional'];
  spawnSync('npm', args, { cwd: folder, stdio: 'inherit', env: environmentForNestedNpm() });
}

// The outer npm hands its own command line down as npm_config_*; `--omit` or `--prefix` of that
// installation would make this one install nothing, or into the wrong place.
function environmentForNestedNpm() {
  const foreign =
    /^npm_(config_(omit|include|only|production|global|prefix|local_prefix|ignore_scripts)|package_|lifecycle_)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

function link() {
  const place = join(root, 'node_modules', '.bin', 'node');
  const fresh = `${place}.${process.pid}`;
  try {
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(relative(dirname(place), localNode), fresh);
    renameSync(fresh, place);
  } catch (cause) {
    // A read-only checkout still works: bin/latchkey.mjs finds tools/node by itself.
    if (cause.code !== 'EACCES' && cause.code !== 'EROFS') throw cause;
  }
}

export const howToGetNode =
  'Latchkey needs Node.js 24.11 or newer: https://nodejs.org (or run `npm install` where the npm registry can be reached)';

if (process.argv[1] === fileURLToPath(import.meta.url) && ensureNode() === undefined) {
  console.error(howToGetNode);
  process.exitCode = 1;
}
