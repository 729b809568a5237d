import { type AppChange, changeApp } from '../change-app.ts';
import type { DomainDeps } from './claim.ts';
import type { DomainRow, OldIssuers } from './domain.ts';
import { domainNotActive, transitionEnded } from './errors.ts';
import { deleteLeaving, domainsOf, setOldIssuers } from './operator-store.ts';

/** What the issuers of before still do. `ended` is for good: they answer as those of an unknown app from now on. */
export function changeOldIssuers(
  deps: DomainDeps,
  change: AppChange & { oldIssuers: OldIssuers },
): Promise<DomainRow[]> {
  const { appId, oldIssuers } = change;
  return changeApp(deps, change, async (tx) => {
    const active = (await domainsOf(tx, appId)).find((row) => row.state === 'active');
    if (!active) throw domainNotActive();
    if (active.old_issuers === 'ended' && oldIssuers !== 'ended') throw transitionEnded();
    await setOldIssuers(tx, appId, oldIssuers);
    if (oldIssuers === 'ended') await deleteLeaving(tx, appId);
    tx.afterCommit(() => deps.domains.lookup.forget());
    return {
      result: await domainsOf(tx, appId),
      event: oldIssuers === 'ended' ? 'domain.transition_ended' : 'domain.transition_changed',
      details: { domain: active.domain, old_issuers: oldIssuers },
    };
  });
}
