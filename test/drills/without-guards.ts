// `npm run test:faults -- --without-guards`: each guard is taken out of a copy of the program, and its drill has to fail and
// say why. Names or numbers of drills that follow choose some.
import { rmSync } from 'node:fs';
import { mutatedTree } from '../mutations/mutant.ts';
import { drills } from './drills.ts';
import { runDrill } from './drill.ts';
import { type Guard, guards } from './guards.ts';

const PARTS = [
  'src',
  'views',
  'migrations',
  'bin',
  'tools/child.mjs',
  'tools/ensure-node.mjs',
  'package.json',
];

async function isMissed({ name, edits, drill: number, says }: Guard, seconds: number): Promise<boolean> {
  const drill = drills.find((one) => one.number === number)!;
  console.log(`\n${number}  without: ${name}`);
  const tree = mutatedTree({ edits }, PARTS);
  try {
    const { violations } = await runDrill(drill, { seconds, tree });
    const found = violations.find((violation) => says.test(violation));
    for (const violation of violations.filter((one) => one !== found).slice(0, 4))
      console.log(`    ${violation.slice(0, 200)}`);
    console.log(
      found === undefined
        ? `    NOT NOTICED: nothing that matches ${says}`
        : `    noticed: ${found.slice(0, 200)}`,
    );
    return found !== undefined;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** The number of guards that nobody misses. */
export async function runWithoutGuards(chosen: readonly string[], seconds: number): Promise<number> {
  const wanted = guards.filter(
    ({ name, drill }) =>
      chosen.length === 0 || chosen.some((one) => one === String(drill) || name.includes(one)),
  );
  const unnoticed: string[] = [];
  for (const guard of wanted) {
    const noticed = await isMissed(guard, seconds).catch((error: unknown) => {
      console.log(
        `    the drill broke: ${error instanceof Error ? error.message.slice(0, 500) : String(error)}`,
      );
      return false;
    });
    if (!noticed) unnoticed.push(guard.name);
  }
  console.log(`\n${wanted.length - unnoticed.length} of ${wanted.length} guards are missed by their drills`);
  for (const name of unnoticed) console.log(`  not: ${name}`);
  return unnoticed.length;
}
