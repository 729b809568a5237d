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
  becomeServer();
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

/**
 * A server in its own words to V8, which takes them only at the start of a process: this one becomes it, with the same id.
 * By itself V8 gives short-lived objects three times 32 MB and lets the rest grow far beyond what is in use, and malloc keeps
 * an arena for each of eight threads; no request is faster for it. An operator who says something about it (NODE_OPTIONS,
 * MALLOC_ARENA_MAX) is left alone.
 */
function becomeServer() {
  const isServer = (process.argv[2] ?? 'start') === 'start';
  const said = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  // Whoever started it by a channel (a supervisor, the primary of several processes) would lose that.
  const isHeld = process.channel !== undefined;
  if (!isServer || isHeld || said.includes('semi-space') || process.execve === undefined) return;
  const script = join(root, 'bin', 'latchkey.mjs');
  const memory = [
    '--max-semi-space-size=16',
    '--heap-growing-percent=30',
    '--no-memory-reducer-favors-memory',
  ];
  const args = [...process.execArgv, ...memory, script, ...process.argv.slice(2)];
  process.execve(process.execPath, [process.execPath, ...args], { MALLOC_ARENA_MAX: '2', ...process.env });
}
