// `npm run test:interop`: client libraries in apps of their own, in Node and in the browser; with `-- --all` also those of
// Python, Go, Java and Rust, of which a missing toolchain is named and skipped; with `-- --record` the guides say that
// they passed today.
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
if (node !== process.execPath)
  process.exit(await run(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {}));

const { ensureTestTools } = await import('./ensure-test-tools.mjs');
const given = process.argv.slice(2);
const env = {
  ...ensureTestTools(),
  INTEROP_ALL: given.includes('--all') ? 'yes' : 'no',
  INTEROP_RECORD: given.includes('--record') ? 'yes' : 'no',
};
const forMocha = given.filter((argument) => argument !== '--all' && argument !== '--record');
const mocha = [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), 'test/interop/suite.ts', ...forMocha];
process.exit(Math.min(await run(node, mocha, { env, cwd: root }), 255));
