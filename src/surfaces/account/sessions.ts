import { audit } from '../../events/audit.ts';
import { deviceOf } from '../../users/devices/device-name.ts';
import { placeInWords } from '../../users/places/places.ts';
import type { SessionRow } from '../../users/sessions/store.ts';
import { goBack, localeOfVisit, showAccount, type Visit } from './visit.ts';

const ENDED_BY_USER = 'ended_by_user';
/** Nobody looks through more; "everywhere else" ends the rest too. */
const SHOWN = 100;

export async function showSessions(visit: Visit): Promise<void> {
  const { appId, deps, session } = visit;
  const rows = await deps.access.listSessions(appId, session.userId, { limit: SHOWN });
  const here = rows.filter((row) => row.session_id === session.sessionId);
  const others = rows.filter((row) => row.session_id !== session.sessionId);
  showAccount(visit, 'sessions', {
    sessions: [...here, ...others].map((row) => present(row, visit)),
    has_others: others.length > 0,
    end_others_action: `${visit.root}/sessions/end-others`,
  });
}

export async function endOne(visit: Visit): Promise<void> {
  const { appId, by, deps, session } = visit;
  const { session_id: sessionId = '' } = visit.ctx.params as Record<string, string>;
  const { userId } = session;
  await deps.db.transaction(appId, async (tx) => {
    const ended = await deps.access.endSessionOfUser(tx, { appId, userId, sessionId, why: ENDED_BY_USER });
    // It may have ended a moment ago: what the person wants is true already.
    if (ended.sessions.length === 0) return;
    await audit(tx, { ...by, appId, type: 'session.ended', userId, sessionId, result: 'success' });
  });
  goBack(visit, 'sessions', 'ended');
}

/** Everything but this session and what is bound to it. */
export async function endOthers(visit: Visit): Promise<void> {
  const { appId, by, deps, session } = visit;
  const { userId, uid } = session;
  await deps.db.transaction(appId, async (tx) => {
    const ended = await deps.access.endUserAccess(tx, {
      appId,
      userId,
      why: ENDED_BY_USER,
      exceptSessionUid: uid,
    });
    const details = { sessions: ended.sessions.length, grants: ended.grants.length };
    await audit(tx, {
      ...by,
      appId,
      type: 'user.signed_out_elsewhere',
      userId,
      sessionId: session.sessionId,
      result: 'success',
      details,
    });
  });
  goBack(visit, 'sessions', 'others');
}

function present(row: SessionRow, visit: Visit) {
  const { deps, root, session } = visit;
  return {
    is_here: row.session_id === session.sessionId,
    ...deviceOf(row.user_agent),
    place: placeInWords(deps.places.of(row.address, localeOfVisit(visit))),
    address: row.address,
    clients: row.clients.map((client) => client.name),
    since: row.created_at.toISOString(),
    last_active: row.last_active_at.toISOString(),
    end_action: `${root}/sessions/${row.session_id}/end`,
  };
}
