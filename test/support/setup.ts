import { startServers, stopServers } from './servers.ts';

export async function mochaGlobalSetup(): Promise<void> {
  // Mocha sets the code when it is done; a run that ends before, because nothing was left to wait for, has failed.
  process.exitCode = 1;
  await startServers();
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopServers();
}
