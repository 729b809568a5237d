import { type AppChange, changeApp } from '../change-app.ts';
import type { DomainDeps } from './claim.ts';
import { domainConfirmationMissing } from './errors.ts';
import { deleteDomains, domainsOf } from './operator-store.ts';

/**
 * Takes an app's domain away, and a claim with it: it is served at the issuers at BASE_URL again, and what was issued
 * at the domain is found nowhere. `confirm` must repeat the name of a domain that is in use. Without one nothing happens.
 */
export function removeDomain(
  deps: DomainDeps,
  change: AppChange & { confirm: string | undefined },
): Promise<void> {
  const { appId, confirm } = change;
  return changeApp(deps, change, async (tx) => {
    const active = (await domainsOf(tx, appId)).find((row) => row.state === 'active');
    if (active && confirm !== active.domain) throw domainConfirmationMissing(active.domain);
    await deleteDomains(tx, appId);
    tx.afterCommit(() => deps.domains.lookup.forget());
    return { result: undefined, event: 'domain.removed', details: { domain: active?.domain ?? null } };
  });
}
