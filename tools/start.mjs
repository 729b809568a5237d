// `npm start`: installs what a fresh clone lacks, then becomes (or runs) `latchkey start`.
import { join } from 'node:path';
import { ensureDependencies, root } from './ensure-dependencies.mjs';

ensureDependencies({ development: false });
process.argv = [process.argv[0], join(root, 'bin', 'latchkey.mjs'), 'start', ...process.argv.slice(2)];
await import('../bin/latchkey.mjs');
