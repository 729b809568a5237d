import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';
import { ensureNode, howToGetNode } from './ensure-node.mjs';

/** Installs what is missing, and runs this tool under a Node.js that can: what follows the call runs there only. */
export async function underNode(url) {
  ensureDependencies({ development: true });
  const node = ensureNode();
  if (node === undefined) {
    console.error(howToGetNode);
    process.exit(1);
  }
  if (node !== process.execPath)
    process.exit(await run(node, [fileURLToPath(url), ...process.argv.slice(2)], {}));
  const { ensureTestTools } = await import('./ensure-test-tools.mjs');
  return { node, ensureTestTools };
}
