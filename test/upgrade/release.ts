import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

export const root = new URL('../..', import.meta.url).pathname;

/** A program in a folder of its own, with today's libraries. */
export type Release = { name: string; dir: string; remove(): void };

export const today: Release = { name: 'today', dir: root, remove: () => {} };

/** The programs of before, as pack.ts packed them: a clean checkout may have no history to take them from. */
export async function unpackRelease(name: string): Promise<Release> {
  const packed = new URL(`releases/${name}.tar.br`, import.meta.url);
  if (!existsSync(packed)) throw new Error(`there is no ${packed.pathname}: see docs/upgrading.md`);
  const dir = mkdtempSync(join(tmpdir(), `latchkey-${name}-`));
  const tar = spawn('tar', ['-x', '-C', dir], { stdio: ['pipe', 'ignore', 'inherit'] });
  const code = await new Promise<number | null>((resolve, reject) => {
    tar.once('error', (error) => reject(new Error('the drill needs tar', { cause: error })));
    tar.once('close', resolve);
    tar.stdin.end(brotliDecompressSync(readFileSync(packed)));
  });
  if (code !== 0) throw new Error(`tar ended with ${code}`);
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  return { name, dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
