import { Worker } from 'node:worker_threads';
import { tooBusyToHash } from '../errors.ts';

/** MD5 of salt and password, and then of the digest and the password, so many times. */
export type Stretch = { salt: string; password: string; rounds: number };
export type Asked = Stretch & { id: number };
export type Answered = { id: number; digest: Uint8Array };

type Waiting = { resolve(digest: Buffer): void; reject(error: Error): void };

const IDLE_MS = 30_000;

/** One thread: as many as wait for it have a seat in the queue of the hasher, which bounds them. */
class Thread {
  readonly #waiting = new Map<number, Waiting>();
  readonly #worker: Worker;
  readonly #onEnd: (thread: Thread) => void;
  #asked = 0;
  #idle: NodeJS.Timeout | undefined;

  /** `onEnd`: from now on it is not to be asked. */
  constructor(onEnd: (thread: Thread) => void) {
    this.#onEnd = onEnd;
    // Neither what this process was started with nor its environment: there are keys in it.
    const isolated = { execArgv: [], argv: [], env: {} };
    this.#worker = new Worker(new URL('./stretching-thread.ts', import.meta.url), isolated);
    const end = (cause?: unknown) => {
      this.#onEnd(this);
      for (const { reject } of this.#waiting.values()) reject(tooBusyToHash(cause));
      this.#waiting.clear();
    };
    this.#worker.on('error', end);
    this.#worker.on('exit', () => end());
    this.#worker.on('message', ({ id, digest }: Answered) => {
      this.#waiting.get(id)?.resolve(Buffer.from(digest));
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#rest();
    });
  }

  ask(stretch: Stretch): Promise<Buffer> {
    clearTimeout(this.#idle);
    this.#worker.ref();
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...stretch, id } satisfies Asked);
    });
  }

  /** A process that has nothing else to do may end. */
  #rest(): void {
    this.#worker.unref();
    this.#idle = setTimeout(() => {
      this.#onEnd(this);
      void this.#worker.terminate();
    }, IDLE_MS).unref();
  }
}

let thread: Thread | undefined;

/**
 * In a thread of its own, begun when it is needed and ended when it is not: nothing native does this. Problem
 * `password.busy` when the thread is lost, which says nothing of the password.
 */
export function stretched(stretch: Stretch): Promise<Buffer> {
  thread ??= new Thread((ended) => {
    if (thread === ended) thread = undefined;
  });
  return thread.ask(stretch);
}
