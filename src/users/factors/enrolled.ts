import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** What a user can show beside the first proof. */
export type FactorName = 'totp' | 'recovery_code';

type Row = { totp: boolean; recovery_code: boolean };

/**
 * The second factors a user has, in one statement: every sign-in asks. A new kind adds its line here and its pages to
 * sign-in/second-factor/factors.ts.
 */
export async function enrolledFactors(q: Queryable, appId: string, userId: string): Promise<FactorName[]> {
  const [row] = await q.query<Row>(sql`
    select
      exists (select from totp_authenticators where app_id = ${appId} and user_id = ${userId}) as totp,
      exists (select from recovery_codes where app_id = ${appId} and user_id = ${userId} and used_at is null) as recovery_code`);
  return (Object.entries(row!) as [FactorName, boolean][]).filter(([, has]) => has).map(([name]) => name);
}

/** Recovery codes only stand in for another factor: alone they ask nobody for anything. */
export function hasFactor(enrolled: readonly FactorName[]): boolean {
  return enrolled.some((name) => name !== 'recovery_code');
}
