import { loadConfig } from '../../config/load.ts';
import { createLogger } from '../../telemetry/log.ts';
import type { Administration, Program } from './command.ts';

/** Works on the stores of the configuration, beside a server that may be running, and lets go of them. */
export async function withAdministration(
  program: Program,
  work: (administration: Administration) => Promise<number>,
): Promise<number> {
  const config = loadConfig();
  // What is printed is the answer, for programs too: only what went wrong is logged beside it.
  const administration = await program.administer(config, createLogger({ ...config, logLevel: 'error' }));
  try {
    return await work(administration);
  } finally {
    await administration.close();
  }
}
