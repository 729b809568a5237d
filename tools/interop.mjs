// `npm run test:interop`: client libraries in apps of their own, in Node and in the browser; with `-- --all` also those of
// Python, Go, Java and Rust, of which a missing toolchain is named and skipped; with `-- --record` the guides say that
// they passed today.
import { join } from 'node:path';
import { run } from './child.mjs';
import { root } from './ensure-dependencies.mjs';
import { underNode } from './under-node.mjs';

const { node, ensureTestTools } = await underNode(import.meta.url);
const given = process.argv.slice(2);
const env = {
  ...ensureTestTools(),
  INTEROP_ALL: given.includes('--all') ? 'yes' : 'no',
  INTEROP_RECORD: given.includes('--record') ? 'yes' : 'no',
};
const forMocha = given.filter((argument) => argument !== '--all' && argument !== '--record');
const mocha = [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), 'test/interop/suite.ts', ...forMocha];
process.exit(Math.min(await run(node, mocha, { env, cwd: root }), 255));
