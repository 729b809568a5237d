import { type EventRow, listEventsOfUser } from '../../events/store.ts';
import { scoped } from '../../storage/database.ts';
import { deviceOf } from '../../users/devices/device-name.ts';
import { placeInWords } from '../../users/places/places.ts';
import { SUSPECT, WORDS } from './activity-words.ts';
import { localeOfVisit, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

const PAGE = 30;

export async function showActivity(visit: Visit): Promise<void> {
  const { ctx, appId, deps, root, session, snapshot } = visit;
  const asked = ctx.query['after'];
  const after = typeof asked === 'string' && /^evt_[0-9a-z-]{1,64}$/.test(asked) ? asked : undefined;
  const rows = await listEventsOfUser(scoped(deps.db, appId), {
    appId,
    userId: session.userId,
    types: Object.keys(WORDS),
    after,
    limit: PAGE + 1,
  });
  const shown = rows.slice(0, PAGE);
  const last = shown.at(-1)?.event_id;
  showAccount(visit, 'activity', {
    events: shown.map((row) => present(row, visit)),
    earlier_url: rows.length > PAGE && last !== undefined ? urlOf(visit, 'activity', { after: last }) : null,
    newest_url: after === undefined ? null : urlOf(visit, 'activity'),
    end_others_action: `${root}/sessions/end-others`,
    password_url: snapshot.app.settings.methods.password ? urlOf(visit, 'password') : null,
  });
}

function present(row: EventRow, visit: Visit) {
  const word = row.details['new_device'] === true ? 'new_browser' : (WORDS[row.type] ?? 'details_changed');
  return {
    what: sentenceOf(visit, `activity.${word}`),
    is_suspect: SUSPECT.has(word),
    is_by_admin: ['operator', 'break_glass', 'system'].includes(row.actor_type) && word !== 'session_ended',
    ...deviceOf(row.user_agent),
    place: placeInWords(visit.deps.places.of(row.address, localeOfVisit(visit))),
    address: row.address,
    at: row.occurred_at.toISOString(),
  };
}
