import { type AppChange, changeApp } from '../change-app.ts';
import { appNotFound } from '../errors.ts';
import { appById, everyApp } from '../operator-store.ts';
import type { DomainDeps } from './claim.ts';
import type { DomainRow } from './domain.ts';
import { challengeOf, isOfThisMachine } from './domain-name.ts';
import { domainNotClaimed, domainNotProved, domainTaken } from './errors.ts';
import { activate, domainsOf, insertRoute, leaveActive } from './operator-store.ts';

/**
 * Looks for the proof and, where it is there, serves the app at its domain from now on. Of many apps that prove the
 * same domain one gets it. Asking again once it is active changes nothing. Problems `domains.*`.
 */
export async function verifyDomain(deps: DomainDeps, change: AppChange): Promise<DomainRow[]> {
  const { appId } = change;
  const q = everyApp(deps.operatorDb);
  if (!(await appById(q, appId))) throw appNotFound();
  const rows = await domainsOf(q, appId);
  const claimed = rows.find((row) => row.state === 'pending');
  if (!claimed && rows.some((row) => row.state === 'active')) return rows;
  if (!claimed) throw domainNotClaimed();
  // Before the transaction: name servers take their time, and the app's row would be locked.
  await requireProof(deps, claimed);
  return changeApp(deps, change, async (tx) => {
    const now = await domainsOf(tx, appId);
    const pending = now.find((row) => row.state === 'pending');
    // Another claim was made, or this one proved, while the name servers were asked.
    if (pending?.domain !== claimed.domain || pending.challenge !== claimed.challenge)
      throw domainNotClaimed();
    if (!(await insertRoute(tx, claimed.domain, appId))) throw domainTaken();
    const before = now.find((row) => row.state === 'active');
    await leaveActive(tx, appId);
    const baseLeft = before !== undefined && (before.base_left || before.old_issuers === 'ended');
    await activate(tx, { appId, domain: claimed.domain, baseLeft });
    tx.afterCommit(() => deps.domains.lookup.forget());
    return {
      result: await domainsOf(tx, appId),
      event: 'domain.verified',
      details: { domain: claimed.domain, before: before?.domain ?? null },
    };
  });
}

async function requireProof({ domains }: DomainDeps, claimed: DomainRow): Promise<void> {
  if (isOfThisMachine(claimed.domain) && domains.place.allowsLocalhost) return;
  const { name, value } = challengeOf(claimed);
  // A record longer than 255 bytes comes in pieces (RFC 7208 §3.3 says how they are put together).
  const records = (await domains.resolveTxt(name)).map((pieces) => pieces.join(''));
  if (!records.some((record) => record.trim() === value)) throw domainNotProved(name, value);
}
