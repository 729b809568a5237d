import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** What a user can show beside the first proof. */
export type FactorName = 'totp' | 'passkey' | 'recovery_code';

type Row = { totp: boolean; passkey: boolean; recovery_code: boolean };

/**
 * The second factors a user has, in one statement: every sign-in asks. A new kind adds its line here and its pages to
 * sign-in/second-factor/factors.ts.
 */
export async function enrolledFactors(q: Queryable, appId: string, userId: string): Promise<FactorName[]> {
  const [row] = await q.query<Row>(sql`
    select
      exists (select from totp_authenticators where app_id = ${appId} and user_id = ${userId}) as totp,
      exists (select from passkeys where app_id = ${appId} and user_id = ${userId}) as passkey,
      exists (select from recovery_codes where app_id = ${appId} and user_id = ${userId} and used_at is null) as recovery_code`);
  return (Object.entries(row!) as [FactorName, boolean][]).filter(([, has]) => has).map(([name]) => name);
}

/**
 * Whether they ask for a second proof by themselves. Recovery codes only stand in for another factor, and a passkey asks
 * nobody: who signs in without it may be at a device that has none yet.
 */
export function hasFactor(enrolled: readonly FactorName[]): boolean {
  return enrolled.includes('totp');
}

/**
 * Whether they should have recovery codes: where there is a factor that is asked for, also a passkey where two proofs are
 * required. Who loses it has no other way in.
 */
export function needsCodes(
  enrolled: readonly FactorName[],
  policy: 'off' | 'optional' | 'required',
): boolean {
  return hasFactor(enrolled) || (policy === 'required' && canShowFactor(enrolled));
}

/** Whether there is one that can be shown where the app or the request insists on two proofs. */
export function canShowFactor(enrolled: readonly FactorName[]): boolean {
  return enrolled.some((name) => name !== 'recovery_code');
}
