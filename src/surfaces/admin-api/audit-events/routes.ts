import { z } from 'zod';
import { type EventRow, listEvents } from '../../../events/store.ts';
import { requireApp } from '../apps/require-app.ts';
import { time } from '../apps/wire.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { appParams } from '../params.ts';

const eventWire = z.object({
  event_id: z.string(),
  type: z.string(),
  occurred_at: time,
  actor: z.object({ type: z.string(), id: z.string().nullable() }),
  user_id: z.string().nullable(),
  client_id: z.string().nullable(),
  session_id: z.string().nullable(),
  result: z.enum(['success', 'failure']),
  address: z.string().nullable(),
  user_agent: z.string().nullable(),
  request_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});

function presentEvent(event: EventRow) {
  return {
    event_id: event.event_id,
    type: event.type,
    occurred_at: event.occurred_at.toISOString(),
    actor: { type: event.actor_type, id: event.actor_id },
    user_id: event.user_id,
    client_id: event.client_id,
    session_id: event.session_id,
    result: event.result,
    address: event.address,
    user_agent: event.user_agent,
    request_id: event.request_id,
    details: event.details,
  };
}

export function auditEventOperations(deps: AdminApiDeps): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/apps/{app_id}/audit-events',
      id: 'listAuditEvents',
      tag: 'Audit trail',
      summary: 'List what happened in an app, newest first',
      scope: 'audit:read',
      params: appParams,
      query: pageQuery,
      response: { status: 200, schema: pageOfSchema(eventWire) },
      mayLag: () => true,
      async handle({ params, query, reads }) {
        const { appId } = await requireApp(deps, params.app_id);
        const rows = await listEvents(reads.ofApp(appId), { appId, ...window(query) });
        return pageOf(rows, query, { cursor: (row) => row.event_id, present: presentEvent });
      },
    }),
  ];
}
