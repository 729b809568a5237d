import { createHash } from 'node:crypto';
import type { AppSettings } from '../../../apps/app.ts';
import type { Outgoing } from '../../../http/outgoing.ts';
import { isInFile } from './file.ts';
import { isInRange } from './range.ts';

export type BreachedPasswords = {
  /** Whether this password is known from a breach. False too where that could not be found out: then it is counted and logged. */
  isKnown(password: string, where: AppSettings['breached_passwords']): Promise<boolean>;
};

export type BreachedDeps = {
  outgoing: Outgoing;
  /** Where the ranges are, without a trailing slash. */
  url: string;
  file: string | undefined;
  count(result: 'clean' | 'breached' | 'failed'): void;
  log: { warn(fields: object, message: string): void };
};

export function createBreachedPasswords(deps: BreachedDeps): BreachedPasswords {
  const look = (password: string, where: 'offline' | 'range_api'): Promise<boolean> => {
    const digest = createHash('sha1').update(password).digest('hex').toUpperCase();
    return where === 'range_api' ? isInRange(deps, digest) : isInFile(deps.file!, digest);
  };
  return {
    async isKnown(password, where) {
      if (where === 'off' || (where === 'offline' && deps.file === undefined)) return false;
      try {
        const isBreached = await look(password, where);
        deps.count(isBreached ? 'breached' : 'clean');
        return isBreached;
      } catch (error) {
        // Whoever can make the service fall silent must not be able to stop people from recovering their accounts.
        deps.count('failed');
        deps.log.warn({ err: error, where }, 'a new password could not be looked up and was allowed');
        return false;
      }
    },
  };
}
