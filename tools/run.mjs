// `node tools/run.mjs [--with-test-tools] FILE …`: installs what is missing, then runs a TypeScript file of this
// repository, named from its root, under a Node.js that can; further arguments are the file's. With `--with-test-tools`
// Chromium and Redis are there, too, and named in the environment.
import { join } from 'node:path';
import { run } from './child.mjs';
import { ensureDependencies, root } from './ensure-dependencies.mjs';
import { ensureNode, howToGetNode } from './ensure-node.mjs';

const TEST_TOOLS = '--with-test-tools';
const given = process.argv.slice(2);
const wantsTools = given[0] === TEST_TOOLS;
const [file, ...rest] = wantsTools ? given.slice(1) : given;

ensureDependencies({ development: true });
const node = ensureNode();
if (node === undefined) {
  console.error(howToGetNode);
  process.exit(1);
}
const env = wantsTools ? (await import('./ensure-test-tools.mjs')).ensureTestTools() : {};
process.exit(await run(node, [join(root, file), ...rest], { env, cwd: root }));
