import { availableParallelism } from 'node:os';
import { Problem } from '../../kernel/problem.ts';
import { type Argon2, fastestArgon2 } from './argon2.ts';
import { tooBusyToHash } from './errors.ts';
import { foldPassword } from './fold.ts';
import { comparing, isForeign } from './foreign/compare.ts';
import { createSeats } from './seats.ts';

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
   * Runs `work` when it is its turn. Problem `password.busy` before `work` begins when the queue is full or the turn
   * does not come in time, and nothing when its client has gone: so that nothing is counted or written for a request that will not be served.
   */
  inTurn<T>(work: (hashing: Hashing) => Promise<T>): Promise<T>;
  /** For callers with a single password to hash. */
  hash(password: string): Promise<string>;
  /** Problem `password.busy` when the queue is full: for the beginning of a request that would need it. */
  requirePlace(): void;
  /** How long the first in the queue has been waiting. */
  waitedMs(): number;
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
    if (error instanceof Problem && error.kind === 'busy') throw error;
    return false;
  });
}

async function compareForeign(stored: string, password: string, argon2: Argon2): Promise<boolean> {
  return comparing(stored)(password, (hash, text) => argon2.verify(hash, text));
}

/**
 * At most as many hashes at once as there are cores; each takes 19 MiB. Twice as many have their turn: while one half
 * hashes, the other asks the database what with. All others wait before they have asked or counted anything.
 */
export async function createPasswordHasher(options: HasherOptions = {}): Promise<PasswordHasher> {
  const argon2 = options.argon2 ?? (await fastestArgon2());
  const atOnce = options.atOnce ?? availableParallelism();
  const nobody = await argon2.hash('the hash that unknown addresses are compared with');
  const hashes = createSeats({ count: atOnce, isUntouched: false });
  const turns = createSeats({
    count: atOnce * 2,
    isUntouched: true,
    queueLimit: Math.max(0, (options.queueLimit ?? 64) - atOnce),
    ...(options.onWaiting ? { onWaiting: options.onWaiting } : {}),
  });
  const hashing: Hashing = {
    hash: (password) => hashes.seated(() => argon2.hash(foldPassword(password))),
    async verify(hash, password, decoy) {
      const compare = (stored: string) => hashes.seated(() => compareWith(argon2, stored, password));
      const matches = await compare(hash ?? nobody);
      if (matches && hash !== undefined) return true;
      if (decoy !== undefined) await compare(hash !== undefined && isForeign(hash) ? nobody : decoy);
      return false;
    },
  };
  const inTurn = <T>(work: (hashing: Hashing) => Promise<T>): Promise<T> => turns.seated(() => work(hashing));
  return {
    inTurn,
    hash: (password) => inTurn(({ hash }) => hash(password)),
    requirePlace() {
      if (turns.isFull()) throw tooBusyToHash();
    },
    waitedMs: turns.waitedMs,
  };
}
