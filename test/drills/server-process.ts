import type { ChildProcess } from 'node:child_process';
import { identifyProcess } from '../../src/storage/process-identity.ts';
import { endWithThisProcess } from '../../src/storage/watchdog.ts';

export type ServerProcess = {
  /** Resolves when `isUp` does; nothing where it runs. */
  start(isUp: (starting: ChildProcess) => Promise<void>): Promise<void>;
  /** Resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
};

/** The process of a store, which ends with whoever runs the drills, however that ended. */
export function serverProcess(begin: () => ChildProcess): ServerProcess {
  let child: ChildProcess | undefined;
  let callOff = (): void => {};
  return {
    async start(isUp) {
      if (child) return;
      const starting = begin();
      child = starting;
      const known = identifyProcess(starting.pid ?? 0);
      if (known) callOff = endWithThisProcess(known);
      await isUp(starting);
    },
    async end(signal) {
      const ending = child;
      child = undefined;
      if (!ending || ending.exitCode !== null) return;
      const ended = new Promise((resolve) => ending.once('exit', resolve));
      ending.ref();
      ending.kill(signal);
      await ended;
      callOff();
    },
  };
}
