import { setTimeout as sleep } from 'node:timers/promises';

/** Something that somebody does again and again. It throws when it does not come out as it should. */
export type Worker = { name: string; pause: number; round(): Promise<void> };

/** All that goes on while programs and schemas change. */
export type Traffic = {
  faults: string[];
  done: Record<string, number>;
  /** Until everybody has done so many more rounds, or somebody could not. */
  rounds(count: number): Promise<void>;
  stop(): Promise<void>;
};

const LIMIT_MS = 180_000;

export function startTraffic(workers: readonly Worker[]): Traffic {
  const faults: string[] = [];
  const done: Record<string, number> = Object.fromEntries(workers.map(({ name }) => [name, 0]));
  const state = { stopping: false };
  const run = async ({ name, pause, round }: Worker): Promise<void> => {
    while (!state.stopping) {
      await round().catch((error: unknown) => faults.push(`${name}: ${told(error)}`));
      done[name]! += 1;
      await sleep(pause);
    }
  };
  const running = Promise.all(workers.map(run));
  return {
    faults,
    done,
    async rounds(count) {
      // What was begun before counts for before.
      const wanted = Object.entries(done).map(([name, rounds]) => [name, rounds + count + 1] as const);
      for (const limit = Date.now() + LIMIT_MS; Date.now() < limit; await sleep(20))
        if (faults.length > 0 || wanted.every(([name, rounds]) => done[name]! >= rounds)) return;
      throw new Error(`some came to nothing: ${JSON.stringify(done)} of ${JSON.stringify(wanted)}`);
    },
    async stop() {
      state.stopping = true;
      await running;
    },
  };
}

function told(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: unknown };
  return [
    message,
    ...(cause ? [JSON.stringify(cause) === '{}' ? String(cause) : JSON.stringify(cause)] : []),
  ].join(' because ');
}
