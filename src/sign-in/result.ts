import { type AuditEvent } from '../events/event.ts';
import { newEvent } from '../events/audit.ts';
import { appendingEvent } from '../events/store.ts';
import { digestOf } from '../kernel/secret.ts';
import type { EndingWrites, Interaction } from '../oidc/interaction.ts';
import type { Queryable } from '../storage/database.ts';
import { spend, type Spending, spending } from '../storage/spent.ts';
import { part, sql } from '../storage/sql.ts';
import { type MetDevice, rememberingDevice } from '../users/devices/store.ts';
import { alreadyFinished } from './errors.ts';
import { clearingFailures, type FailureKey } from './lockout/store.ts';

/** One result for each prompt of an interaction: of two that come at once the later one is refused. */
export async function spendResult(q: Queryable, interaction: Interaction): Promise<void> {
  if (!(await spend(q, resultOf(interaction)))) throw alreadyFinished();
}

function resultOf({ appId, uid, prompt, livesAtMostSeconds }: Interaction): Spending {
  const digest = digestOf(JSON.stringify([appId, uid, prompt.name]));
  // Remembered a little longer than the interaction can live.
  return { appId, kind: 'interaction_result', digest, ttlSeconds: Math.ceil(livesAtMostSeconds) + 60 };
}

/** What a sign-in leaves in the database. */
export type SignInToWrite = {
  userId: string;
  /** Digest of the browser's device cookie. */
  device: string;
  /** Those that are over now. */
  failures: FailureKey;
  event: AuditEvent;
  writes: EndingWrites | undefined;
};

/**
 * The same for a sign-in, with all that it leaves: in one statement, where nothing is written for the later of two.
 * `isBegun`: as its ending says.
 */
export async function spendSignIn(
  q: Queryable,
  interaction: Interaction,
  { userId, device, failures, event, writes }: SignInToWrite,
): Promise<MetDevice & { isBegun: boolean }> {
  const { appId } = interaction;
  const isToldOf = part`case when is_new and has_others then '{"new_device":true}'::jsonb else '{}'::jsonb end`;
  const [row] = await q.query<{
    is_first: boolean;
    is_new: boolean;
    has_others: boolean;
    is_begun: boolean;
  }>(sql`
    with once as (${spending(resultOf(interaction))}),
      cleared as (${clearingFailures(failures, part`and exists (select from once)`)}),
      met as (${rememberingDevice({ appId, userId, device }, part`from once`)}),
      trail as (${appendingEvent(newEvent(event), part`from met`, isToldOf)})${writes?.parts ?? part``}
    select met is not null as is_first, is_new, has_others, ${writes?.isBegun ?? part`false`} as is_begun
    from (select 1) as one left join met on true`);
  if (!row!.is_first) throw alreadyFinished();
  return { isNew: row!.is_new, hasOthers: row!.has_others, isBegun: row!.is_begun };
}
