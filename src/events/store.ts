import type { Queryable } from '../storage/database.ts';
import { type Part, part, sql } from '../storage/sql.ts';
import type { AuditEvent } from './event.ts';

export async function appendEvent(q: Queryable, event: NewEvent): Promise<void> {
  await q.query(sql`${appendingEvent(event, part``)}`);
}

export type NewEvent = AuditEvent & { eventId: string };

/** `of`: what it hangs on, and a second `details` (jsonb) that is added to its own. */
export const appendingEvent = (event: NewEvent, of: Part, moreDetails = part`'{}'::jsonb`): Part =>
  part`insert into audit_events (app_id, event_id, type, actor_type, actor_id, user_id, client_id, session_id, result, address, user_agent, request_id, details)
        select ${event.appId}, ${event.eventId}, ${event.type}, ${event.actor.type}, ${event.actor.id ?? null}, ${event.userId ?? null}, ${event.clientId ?? null},
          ${event.sessionId ?? null}, ${event.result}, ${event.address ?? null}::inet, ${event.userAgent?.slice(0, 512) ?? null}, ${event.requestId ?? null},
          ${JSON.stringify(event.details ?? {})}::jsonb || ${moreDetails} ${of}`;

export type EventRow = {
  event_id: string;
  type: string;
  occurred_at: Date;
  actor_type: string;
  actor_id: string | null;
  user_id: string | null;
  client_id: string | null;
  session_id: string | null;
  result: string;
  address: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: Record<string, unknown>;
};

/** The same of one user, and of some kinds alone. */
export function listEventsOfUser(
  q: Queryable,
  at: {
    appId: string;
    userId: string;
    types?: readonly string[] | undefined;
    after: string | undefined;
    limit: number;
  },
): Promise<EventRow[]> {
  return q.query<EventRow>(
    sql`select event_id, type, occurred_at, actor_type, actor_id, user_id, client_id, session_id, result, host(address) as address, user_agent, request_id, details
        from audit_events where app_id = ${at.appId} and user_id = ${at.userId} and (${at.after ?? null}::text is null or event_id < ${at.after ?? null})
          and (${at.types ?? null}::text[] is null or type = any(${at.types ?? null}))
        order by event_id desc limit ${at.limit}`,
  );
}

/** Newest first, before the given id. */
export function listEvents(
  q: Queryable,
  at: { appId: string; after: string | undefined; limit: number },
): Promise<EventRow[]> {
  return q.query<EventRow>(
    sql`select event_id, type, occurred_at, actor_type, actor_id, user_id, client_id, session_id, result, host(address) as address, user_agent, request_id, details
        from audit_events where app_id = ${at.appId} and (${at.after ?? null}::text is null or event_id < ${at.after ?? null})
        order by event_id desc limit ${at.limit}`,
  );
}
