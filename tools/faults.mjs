// `npm run test:faults`: installs what is missing, then the fault drills under a Node.js that can; its arguments go on:
// numbers of drills, `--seconds 60` for the long form.
import { join } from 'node:path';
import { run } from './child.mjs';
import { ensureDependencies, root } from './ensure-dependencies.mjs';
import { ensureNode, howToGetNode } from './ensure-node.mjs';

ensureDependencies({ development: true });
const node = ensureNode();
if (node === undefined) {
  console.error(howToGetNode);
  process.exit(1);
}
const { ensureTestTools } = await import('./ensure-test-tools.mjs');
process.exit(
  await run(node, [join(root, 'test', 'drills', 'main.ts'), ...process.argv.slice(2)], {
    env: ensureTestTools(),
    cwd: root,
  }),
);
