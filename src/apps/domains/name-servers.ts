import { Resolver } from 'node:dns/promises';
import { nameServersAway } from './errors.ts';

/** The TXT records at a name, each in its pieces; none where there is no such name. Throws a Problem when nobody answers. */
export type ResolveTxt = (name: string) => Promise<string[][]>;

const ATTEMPT_MS = 2000;
const DEADLINE_MS = 5000;

/** Asks the name servers of this machine, for at most five seconds. */
export const resolveTxt: ResolveTxt = async (name) => {
  const resolver = new Resolver({ timeout: ATTEMPT_MS, tries: 2 });
  const deadline = setTimeout(() => resolver.cancel(), DEADLINE_MS);
  try {
    return await resolver.resolveTxt(name);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
    throw nameServersAway(error);
  } finally {
    clearTimeout(deadline);
  }
};
