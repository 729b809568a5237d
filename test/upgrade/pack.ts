// Packs the program of a commit for the upgrade drill: `node test/upgrade/pack.ts COMMIT NAME`. Only what runs.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';

const [commit, name] = process.argv.slice(2);
if (!commit || !name) throw new Error('node test/upgrade/pack.ts COMMIT NAME');
const parts = [
  'bin',
  'src',
  'migrations',
  'views',
  'package.json',
  'tools/child.mjs',
  'tools/ensure-node.mjs',
];
const tar = execFileSync('git', ['archive', '--format=tar', commit, ...parts], { maxBuffer: 1e9 });
const packed = brotliCompressSync(tar, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: tar.length,
  },
});
writeFileSync(new URL(`releases/${name}.tar.br`, import.meta.url), packed);
console.log(`${name}: ${packed.length} bytes`);
