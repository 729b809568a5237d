import { newId } from '../kernel/id.ts';
import type { Queryable } from '../storage/database.ts';
import type { AuditEvent } from './event.ts';
import { appendEvent, type NewEvent } from './store.ts';

/** Adds one row to the audit trail inside the caller's transaction: what happened and that it was recorded are one. */
export async function audit(tx: Queryable, event: AuditEvent): Promise<void> {
  await appendEvent(tx, newEvent(event));
}

export const newEvent = (event: AuditEvent): NewEvent => ({ ...event, eventId: newId('evt') });
