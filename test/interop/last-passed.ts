import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InteropClient } from './clients.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** With `--record`: the guide says on which day, and with which versions, its program was last seen to work. */
export function record(client: InteropClient, version: string): void {
  if (process.env['INTEROP_RECORD'] !== 'yes') return;
  const { version: latchkey } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const guide = join(root, 'docs', 'integrate', `${client.name}.md`);
  const today = new Date().toISOString().slice(0, 10);
  const line = `Last passed: ${today}, with ${client.package} ${version} and Latchkey ${latchkey}.`;
  const text = readFileSync(guide, 'utf8');
  if (!/^Last passed: .*$/m.test(text)) throw new Error(`${guide} has no line "Last passed: …"`);
  writeFileSync(guide, text.replace(/^Last passed: .*$/m, line));
}
