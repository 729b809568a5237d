// The matrix against the program of this tree, which a mutation was applied to. Prints the report as one line.
import { everyRow, runMatrix, startForMatrix } from '../isolation/matrix.ts';

const [driver, pattern] = process.argv.slice(2) as ['postgres' | 'redis', string];
const latchkey = await startForMatrix(driver);
try {
  const routes = latchkey.latchkey.routes.filter(({ method, path }) =>
    new RegExp(pattern).test(`${method} ${path}`),
  );
  const look = everyRow(latchkey);
  const report = await runMatrix(latchkey, {
    isQuick: true,
    routes,
    // The first look is at two apps that are ready. From here on a mutation is loose that would let nobody make them.
    probe: (sides) => {
      Object.assign(globalThis, { isLoose: true });
      return look(sides);
    },
  });
  process.stdout.write(`\n${JSON.stringify(report)}\n`);
} finally {
  await latchkey.stop();
}
process.exit();
