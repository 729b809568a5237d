import { FrequencyCache } from '../../kernel/frequency-cache.ts';
import { Problem } from '../../kernel/problem.ts';
import type { Database } from '../../storage/database.ts';
import { everyApp } from '../operator-store.ts';
import { appOfDomain } from './operator-store.ts';

export type DomainLookup = {
  /**
   * The app a domain leads to, at most two seconds old; while the store is away, as last seen. Whether the app is
   * served there is said by its snapshot.
   */
  appOf(domain: string): Promise<string | undefined>;
  /** After a change on this process; others notice within two seconds. */
  forget(): void;
};

const FRESH_MS = 2000;

type Known = { appId: string | undefined; checkedAt: number };

/** Names nobody has are remembered as long as those that somebody has: a stranger's Host costs one look in two seconds. */
export function createDomainLookup(operatorDb: Database, capacity = 20_000): DomainLookup {
  const seen = new FrequencyCache<Known>(capacity);
  const looking = new Map<string, Promise<string | undefined>>();

  const look = async (domain: string): Promise<string | undefined> => {
    const known = seen.get(domain);
    try {
      const appId = await appOfDomain(everyApp(operatorDb), domain);
      seen.set(domain, { appId, checkedAt: Date.now() });
      return appId;
    } catch (error) {
      if (known?.appId === undefined || !(error instanceof Problem) || error.kind !== 'unavailable')
        throw error;
      return known.appId;
    }
  };

  return {
    async appOf(domain) {
      const known = seen.get(domain);
      if (known && Date.now() - known.checkedAt < FRESH_MS) return known.appId;
      let running = looking.get(domain);
      if (!running) {
        running = look(domain).finally(() => looking.delete(domain));
        looking.set(domain, running);
      }
      return running;
    },
    forget: () => {
      seen.clear();
      looking.clear();
    },
  };
}
