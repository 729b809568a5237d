// `npm run test:faults`: every drill, or those whose numbers are given; `--seconds 60` for the long form; `--tree DIR`
// for another copy of the program; `--without-guards` takes them out one by one, and each must be missed.
import { parseArgs } from 'node:util';
import { drills } from './drills.ts';
import { runDrill } from './drill.ts';
import { runWithoutGuards } from './without-guards.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '15' },
    'without-guards': { type: 'boolean', default: false },
    tree: { type: 'string', default: new URL('../..', import.meta.url).pathname },
  },
});
if (values['without-guards'])
  process.exit((await runWithoutGuards(positionals, Number(values.seconds))) > 0 ? 1 : 0);
const wanted = positionals.map(Number);
const chosen = drills.filter(({ number }) => wanted.length === 0 || wanted.includes(number));
const failed: number[] = [];
const skipped: number[] = [];
let passed = 0;

for (const drill of chosen) {
  console.log(`\n${drill.number}  ${drill.name}\n    ${drill.does}`);
  const missing = drill.missing?.();
  if (missing !== undefined) {
    skipped.push(drill.number);
    console.log(`    skipped: ${missing}`);
    continue;
  }
  const begun = performance.now();
  const { violations, lines } = await runDrill(drill, {
    seconds: Number(values.seconds),
    tree: values.tree,
  }).catch((error: unknown) => ({
    violations: [`the drill broke: ${error instanceof Error ? error.stack : String(error)}`],
    lines: [],
  }));
  for (const line of lines) console.log(`    ${line}`);
  for (const violation of violations) console.log(`    VIOLATED ${violation}`);
  console.log(
    `    ${violations.length === 0 ? 'held' : 'FAILED'} (${Math.round((performance.now() - begun) / 1000)} s)`,
  );
  if (violations.length === 0) passed += 1;
  else failed.push(drill.number);
}

console.log(
  `\n${passed} drills held${failed.length ? `, ${failed.length} FAILED: ${failed.join(', ')}` : ''}${skipped.length ? `, ${skipped.length} skipped: ${skipped.join(', ')}` : ''}`,
);
process.exit(failed.length > 0 || passed === 0 ? 1 : 0);
