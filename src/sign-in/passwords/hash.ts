import { availableParallelism } from 'node:os';
import { remainingMs } from '../../kernel/deadline.ts';
import { Problem } from '../../kernel/problem.ts';
import { type Argon2, fastestArgon2 } from './argon2.ts';
import { tooBusyToHash } from './errors.ts';
import { foldPassword } from './fold.ts';
import { comparing, isForeign } from './foreign/compare.ts';

/** Hashing inside one request's place in the queue. Passwords are folded, so that every keyboard types the same one. */
export type Hashing = {
  hash(password: string): Promise<string>;
  /**
   * `hash` undefined: nobody, or nobody with a password. Takes the same time and is false. `decoy` is a hash that this
   * app took over from elsewhere: a wrong password costs one comparison of ours and one of that kind, whoever it is for.
   */
  verify(hash: string | undefined, password: string, decoy?: string): Promise<boolean>;
};

export type PasswordHasher = {
  /**
   * Runs `work` in a place of the queue. Problem `password.busy` at once, before `work` begins, when the queue
   * is full: so that nothing is counted or written for a request that will not be served.
   */
  inTurn<T>(work: (hashing: Hashing) => Promise<T>): Promise<T>;
  /** For callers with a single password to hash. */
  hash(password: string): Promise<string>;
};

export type HasherOptions = {
  argon2?: Argon2;
  atOnce?: number;
  queueLimit?: number;
  onWaiting?: (count: number) => void;
};

function compareWith(argon2: Argon2, stored: string, password: string): Promise<boolean> {
  if (!isForeign(stored)) return argon2.verify(stored, foldPassword(password));
  // As it was typed: that is what the other system hashed. One that can not be read is never right.
  return compareForeign(stored, password, argon2).catch((error: unknown) => {
    if (error instanceof Problem && error.kind === 'unavailable') throw error;
    return false;
  });
}

async function compareForeign(stored: string, password: string, argon2: Argon2): Promise<boolean> {
  return comparing(stored)(password, (hash, text) => argon2.verify(hash, text));
}

/** No longer than its request may take: on a machine that is busy with other things even a short queue takes long. */
function waitForSeat(waiting: (() => void)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const left = remainingMs();
    const timer = left !== undefined && setTimeout(() => leave(), Math.max(0, left));
    const take = (): void => {
      if (timer) clearTimeout(timer);
      resolve();
    };
    const leave = (): void => {
      waiting.splice(waiting.indexOf(take), 1);
      reject(tooBusyToHash());
    };
    waiting.push(take);
  });
}

/** At most as many hashes at once as there are cores; each takes 19 MiB. */
export async function createPasswordHasher(options: HasherOptions = {}): Promise<PasswordHasher> {
  const argon2 = options.argon2 ?? (await fastestArgon2());
  const atOnce = options.atOnce ?? availableParallelism();
  const places = atOnce + (options.queueLimit ?? 64);
  const nobody = await argon2.hash('the hash that unknown addresses are compared with');
  const waiting: (() => void)[] = [];
  let taken = 0;
  let running = 0;

  const seated = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) {
      const seat = waitForSeat(waiting);
      options.onWaiting?.(waiting.length);
      await seat.finally(() => options.onWaiting?.(waiting.length));
    } else running += 1;
    try {
      return await work();
    } finally {
      // A seat is handed over rather than freed: nobody who comes later can overtake.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
  const hashing: Hashing = {
    hash: (password) => seated(() => argon2.hash(foldPassword(password))),
    async verify(hash, password, decoy) {
      const compare = (stored: string) => seated(() => compareWith(argon2, stored, password));
      const matches = await compare(hash ?? nobody);
      if (matches && hash !== undefined) return true;
      if (decoy !== undefined) await compare(hash !== undefined && isForeign(hash) ? nobody : decoy);
      return false;
    },
  };
  const inTurn = async <T>(work: (hashing: Hashing) => Promise<T>): Promise<T> => {
    if (taken >= places) throw tooBusyToHash();
    taken += 1;
    try {
      return await work(hashing);
    } finally {
      taken -= 1;
    }
  };
  return { inTurn, hash: (password) => inTurn(({ hash }) => hash(password)) };
}
