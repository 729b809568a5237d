// The matrix against the program of this tree, which a mutation was applied to. Prints the report as one line.
import { runMatrix, startForMatrix } from '../isolation/matrix.ts';

const [driver, pattern] = process.argv.slice(2) as ['postgres' | 'redis', string];
const latchkey = await startForMatrix(driver);
try {
  const routes = latchkey.latchkey.routes.filter(({ method, path }) =>
    new RegExp(pattern).test(`${method} ${path}`),
  );
  const report = await runMatrix(latchkey, { isQuick: true, routes });
  process.stdout.write(`\n${JSON.stringify(report)}\n`);
} finally {
  await latchkey.stop();
}
process.exit();
