import { newSecret } from '../../kernel/secret.ts';
import type { Transaction } from '../../storage/database.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { appBuiltIn } from '../errors.ts';
import type { DomainRow, OldIssuers } from './domain.ts';
import { normalizeDomain, type Place } from './domain-name.ts';
import { domainInTransition, domainTaken } from './errors.ts';
import type { DomainLookup } from './lookup.ts';
import type { ResolveTxt } from './name-servers.ts';
import { appOfDomain, deleteClaims, domainsOf, insertClaim } from './operator-store.ts';

export type DomainDeps = AppsDeps & {
  domains: { place: Place; lookup: Pick<DomainLookup, 'forget'>; resolveTxt: ResolveTxt };
};

/**
 * Names the domain an app shall have. Changes nothing for anyone before it is proved, and keeps no other app from
 * claiming and proving the same one. Repeating it gives the same challenge. Problems `domains.*`.
 */
export async function claimDomain(
  deps: DomainDeps,
  change: AppChange & { domain: string; oldIssuers: OldIssuers },
): Promise<DomainRow[]> {
  const { appId, oldIssuers } = change;
  const domain = normalizeDomain(change.domain, deps.domains.place);
  return changeApp(deps, change, async (tx, app) => {
    // Operators sign in at the console's issuer, whatever becomes of anyone's name servers.
    if (app.built_in) throw appBuiltIn();
    const known = (await domainsOf(tx, appId)).find((row) => row.domain === domain);
    if (known?.state === 'leaving') throw domainInTransition();
    if (known?.state !== 'active')
      await claim(tx, { appId, domain, oldIssuers, challenge: known?.challenge });
    return {
      result: await domainsOf(tx, appId),
      event: 'domain.claimed',
      details: { domain, old_issuers: oldIssuers },
    };
  });
}

async function claim(
  tx: Transaction,
  at: { appId: string; domain: string; oldIssuers: OldIssuers; challenge: string | undefined },
): Promise<void> {
  if ((await appOfDomain(tx, at.domain)) !== undefined) throw domainTaken();
  await deleteClaims(tx, at.appId);
  await insertClaim(tx, { ...at, challenge: at.challenge ?? newSecret() });
}
