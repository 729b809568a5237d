import { availableParallelism } from 'node:os';
import { type Argon2, fastestArgon2 } from './argon2.ts';
import { tooBusyToHash } from './errors.ts';

/** Hashing inside one request's place in the queue. Passwords are folded, so that every keyboard types the same one. */
export type Hashing = {
  hash(password: string): Promise<string>;
  /** `hash` undefined: nobody, or nobody with a password. Takes the same time and is false. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
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

/** NFKC once, on the way in (NIST SP 800-63B-4 §3.1.1.2): full-width and composed forms are the same password. */
export function foldPassword(password: string): string {
  return password.normalize('NFKC');
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
      const seat = new Promise<void>((resolve) => waiting.push(resolve));
      options.onWaiting?.(waiting.length);
      await seat;
      options.onWaiting?.(waiting.length);
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
    async verify(hash, password) {
      const matches = await seated(() => argon2.verify(hash ?? nobody, foldPassword(password)));
      return matches && hash !== undefined;
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
