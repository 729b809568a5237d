// Runs `npm ci` when node_modules is missing, incomplete or not what the lockfile says.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.latchkey-installed');
const lockfile = join(root, 'package-lock.json');

/** Ends the process with a message when the packages cannot be installed. */
export function ensureDependencies({ development }) {
  if (!existsSync(lockfile)) return; // the production image carries its packages and no lockfile
  const wanted = createHash('sha256').update(readFileSync(lockfile)).digest('hex');
  if (isInstalled(wanted, development)) return;

  console.log('installing the packages of package-lock.json (npm ci)');
  const args = ['ci', '--no-audit', '--no-fund', ...(development ? ['--include=dev'] : [])];
  const { status } = spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error('the packages could not be installed; see the messages of npm above');
    process.exit(1);
  }
  writeFileSync(stamp, `${wanted} ${hasDevelopmentPackages() ? 'development' : 'production'}\n`);
}

function isInstalled(wanted, development) {
  if (!existsSync(stamp)) return installedByHand(development);
  const [hash, kind] = readFileSync(stamp, 'utf8').trim().split(' ');
  return hash === wanted && (kind === 'development' || !development);
}

// Somebody who ran `npm ci` or `npm install` has no stamp of ours, but npm's own record, which is
// written last and is as new as the lockfile or newer.
function installedByHand(development) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record) || (development && !hasDevelopmentPackages())) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const wanted = Object.entries(JSON.parse(readFileSync(lockfile, 'utf8')).packages);
  return wanted.every(([path, entry]) => {
    if (path === '' || entry.optional || entry.devOptional || (entry.dev && !development)) return true;
    return installed[path]?.version === entry.version;
  });
}

function hasDevelopmentPackages() {
  return existsSync(join(root, 'node_modules', 'mocha'));
}
