/** What the issuers of before still do: let people sign in, only keep alive what began there, or nothing any more. */
export const oldIssuersStates = ['sign_in', 'refresh', 'ended'] as const;
export type OldIssuers = (typeof oldIssuersStates)[number];

/** Where an app is served, as far as requests need it. */
export type AppDomain = {
  domain: string;
  oldIssuers: OldIssuers;
  /** The issuers at BASE_URL had been left before this domain came. */
  baseLeft: boolean;
  /** Domains that the app is just leaving. */
  leaving: readonly string[];
};

export type DomainRow = {
  app_id: string;
  domain: string;
  state: 'pending' | 'active' | 'leaving';
  challenge: string;
  old_issuers: OldIssuers;
  base_left: boolean;
  created_at: Date;
  verified_at: Date | null;
};

/** undefined: the app has no domain of its own (yet). */
export function toAppDomain(
  rows: readonly Pick<DomainRow, 'domain' | 'state' | 'old_issuers' | 'base_left'>[],
): AppDomain | undefined {
  const active = rows.find((row) => row.state === 'active');
  if (!active) return undefined;
  return {
    domain: active.domain,
    oldIssuers: active.old_issuers,
    baseLeft: active.base_left,
    leaving: rows.filter((row) => row.state === 'leaving').map((row) => row.domain),
  };
}
