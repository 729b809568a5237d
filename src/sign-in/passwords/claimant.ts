import type { Queryable } from '../../storage/database.ts';
import { part, sql } from '../../storage/sql.ts';
import {
  type Claim,
  type Claimant,
  claimantIn,
  type ClaimantRow,
  findingClaimant,
} from '../../users/passwords/store.ts';
import { type Attempt, STRANGER, subjectOf } from '../lockout/attempt.ts';
import { countingTry } from '../lockout/store.ts';

/** Whoever has an address, with the attempt to be them counted: the same statement, and the same work, for nobody. */
export async function countedClaimant(
  q: Queryable,
  claim: Claim,
): Promise<{ claimant: Claimant; attempt: Attempt }> {
  const { appId, email, device } = claim;
  const subject = subjectOf(email);
  const key = part`select ${appId}::text, ${subject}::text, case when knows_device then ${device} else ${STRANGER} end from claimant`;
  const [row] = await q.query<ClaimantRow & { let_through: boolean; origin: string }>(sql`
    with ${findingClaimant(claim)}, tried as (${countingTry(key)})
    select c.user_id, c.is_nobody, c.is_disabled, c.hash, c.decoy, c.knows_device, t.let_through, t.origin from claimant c, tried t`);
  const { origin, let_through: letThrough } = row!;
  return { claimant: claimantIn(row!), attempt: { appId, subject, origin, letThrough } };
}
