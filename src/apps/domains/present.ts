import type { DomainRow } from './domain.ts';
import { challengeOf, isOfThisMachine, originOfDomain } from './domain-name.ts';

/** An app's domain, and the one it waits for, as operators see them. */
export function presentDomain(rows: readonly DomainRow[], at: { appId: string; baseUrl: string }) {
  const active = rows.find((row) => row.state === 'active');
  const pending = rows.find((row) => row.state === 'pending');
  const own = `${at.baseUrl}/auth/${at.appId}`;
  const left = rows.filter((row) => row.state === 'leaving');
  return {
    domain: active?.domain ?? null,
    issuer: active ? originOfDomain(at.baseUrl, active.domain) : own,
    verified_at: active?.verified_at?.toISOString() ?? null,
    old_issuers: active?.old_issuers ?? null,
    old_issuer_urls:
      active && active.old_issuers !== 'ended'
        ? [...(active.base_left ? [] : [own]), ...left.map((row) => originOfDomain(at.baseUrl, row.domain))]
        : [],
    pending: pending ? presentClaim(pending) : null,
  };
}

function presentClaim(row: DomainRow) {
  return {
    domain: row.domain,
    old_issuers: row.old_issuers,
    verification: isOfThisMachine(row.domain) ? null : { type: 'TXT' as const, ...challengeOf(row) },
    created_at: row.created_at.toISOString(),
  };
}
