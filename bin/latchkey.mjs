#!/usr/bin/env node
// Runs src/main.ts under a Node.js that can. Plain old JavaScript, because an old Node reads it first.
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { followParent, run } from '../tools/child.mjs';
import { ensureNode, howToGetNode, isNewEnough } from '../tools/ensure-node.mjs';

// Not in every Node that reads this file.
const { enableCompileCache } = module;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (isNewEnough(process.versions.node)) {
  followParent(() => {
    process.kill(process.pid, 'SIGTERM');
    // Draining has its own limit, well below this; nothing may be left running even if it hangs.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 40_000).unref();
  });
  // Compiled code is kept for the next start.
  enableCompileCache?.(join(root, 'node_modules', '.cache', 'compiled'));
  await import(new URL('../src/main.ts', import.meta.url).href);
} else {
  const node = ensureNode();
  if (node === undefined) {
    console.error(howToGetNode);
    process.exit(1);
  }
  process.exit(
    await run(node, [...process.execArgv, join(root, 'bin', 'latchkey.mjs'), ...process.argv.slice(2)]),
  );
}
