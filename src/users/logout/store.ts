import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

export type Listener = {
  session_uid: string;
  client_id: string;
  issuer: string;
  issuer_kind: 'own' | 'shared';
  sid: string;
};

/** The clients of these sessions that want to hear of their end, once for each issuer they were used at. */
export function listenersOf(
  q: Queryable,
  at: { appId: string; sessionUids: string[]; clientId?: string | undefined },
): Promise<Listener[]> {
  return q.query<Listener>(
    sql`select u.session_uid, u.client_id, u.issuer, u.issuer_kind, u.sid
        from session_clients u join clients c using (app_id, client_id)
        where u.app_id = ${at.appId} and u.session_uid = any(${at.sessionUids}) and c.disabled_at is null
          and c.settings ->> 'backchannel_logout_uri' is not null
          and (${at.clientId ?? null}::text is null or u.client_id = ${at.clientId ?? null})
        order by u.session_uid, u.client_id, u.issuer`,
  );
}
