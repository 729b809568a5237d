// `npm run bench`: every workload of design §8, interleaved in one run, or the curves. See docs/performance.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCurves } from './curves/run.ts';
import { jsonFile, plan } from './plan.ts';
import { stopAllProcesses } from './processes.ts';
import { runTable } from './table.ts';
import { startStores, type Stores } from './targets.ts';

/** What a run works with. */
export type Bench = { dir: string; stores: Stores; say(text: string): void };

const dir = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
let stores: Stores | undefined;
let ending: Promise<void> | undefined;
const end = (): Promise<void> =>
  (ending ??= (async () => {
    await stopAllProcesses();
    await stores?.stop();
    rmSync(dir, { recursive: true, force: true });
  })());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void end().finally(() => process.exit(130)));

try {
  const begun = performance.now();
  const say = (text: string): void =>
    console.error(`${((performance.now() - begun) / 1000).toFixed(0)} s  ${text}`);
  say('starting Postgres, Redis and the servers');
  stores = await startStores(dir);
  const json = await (plan.curves ? runCurves : runTable)({ dir, stores, say });
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(json, null, 2)}\n`);
} finally {
  await end();
}
process.exit();
