import { startServers, stopServers } from './servers.ts';

export async function mochaGlobalSetup(): Promise<void> {
  await startServers();
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopServers();
}
