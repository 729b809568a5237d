// `npm test`: installs what is missing, then lint, type check and the whole suite. All three run even when
// one fails; the last line counts them together. Other arguments go to mocha, as in `npm test -- test/kernel/*.ts`;
// `--only` leaves lint and type check out.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';
import { ensureDependencies, root } from './ensure-dependencies.mjs';
import { ensureNode, howToGetNode } from './ensure-node.mjs';

ensureDependencies({ development: true });
const node = ensureNode();
if (node === undefined) {
  console.error(howToGetNode);
  process.exit(1);
}

// What the tools start themselves (`#!/usr/bin/env node`) must find the same Node.
const env = { PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}` };
if (node !== process.execPath) {
  process.exit(await run(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { env }));
}

const { ensureTestTools } = await import('./ensure-test-tools.mjs');
Object.assign(env, ensureTestTools());

const checks = [
  ['lint', join(root, 'node_modules', '.bin', 'oxlint'), ['--type-aware', '--deny-warnings', 'src', 'test']],
  ['type check', join(root, 'node_modules', '.bin', 'tsc'), ['--noEmit']],
];
const given = process.argv.slice(2);
const forMocha = given.filter((argument) => argument !== '--only');
const done = given.includes('--only') ? [] : checks;
const failed = [];
for (const [name, command, args] of done) {
  console.log(`\n${name}`);
  const code = await run(command, args, { env, cwd: root });
  if (code > 128) process.exit(code);
  if (code !== 0) failed.push(name);
}

const passed = done.map(([name]) => name).filter((name) => !failed.includes(name));
const counted = { CHECKS_PASSED: passed.join(','), CHECKS_FAILED: failed.join(',') };
const mocha = [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...forMocha];
// mocha adds its configured files to those given, so the default is not configured but given, here. The whole suite
// runs two files at a time: each has databases of its own, and one file alone leaves a second core idle.
if (!forMocha.some((argument) => !argument.startsWith('-')))
  mocha.push(...(availableParallelism() > 1 ? ['--parallel', '--jobs', '2'] : []), 'test/**/*.test.ts');
const code = await run(node, mocha, { env: { ...env, ...counted }, cwd: root });
process.exit(code !== 0 ? Math.min(code, 255) : failed.length > 0 ? 1 : 0);
