import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSecret } from '../kernel/secret.ts';
import { developmentMark } from './formats.ts';

/**
 * The secret kept in `dataDir/name`, made on first use, readable by its owner alone. Of two processes that
 * start at once one writes and both read the same. With `writable: false` nothing is written.
 */
export function generatedSecret(
  dataDir: string,
  name: string,
  writable: boolean,
): { text: string; path: string } {
  const path = join(dataDir, name);
  const existing = readIfThere(path);
  if (existing) return { text: existing, path };
  const fresh = `${developmentMark}${newSecret()}`;
  if (!writable) return { text: fresh, path };
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, `${fresh}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { text: readIfThere(path) ?? fresh, path };
  }
  // The mode given at creation is narrowed by the umask only; a file restored from a backup may be wider.
  chmodSync(path, 0o600);
  return { text: fresh, path };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
