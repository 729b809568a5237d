import { audit } from '../../events/audit.ts';
import { scopeWords } from '../../http/messages.ts';
import { scopesOf } from '../../users/grants/scopes.ts';
import type { GrantPayload } from '../../users/grants/store.ts';
import { goBack, localeOfVisit, showAccount, type Visit } from './visit.ts';

export async function showApps(visit: Visit): Promise<void> {
  const { appId, deps, root, session } = visit;
  const rows = await deps.access.listAppAccess(appId, session.userId);
  showAccount(visit, 'apps', {
    entries: rows.map((row) => ({
      name: row.client_name,
      since: row.since.toISOString(),
      is_offline: row.is_offline,
      may: scopeWords(localeOfVisit(visit), scopesIn(row.payloads)).map(({ title }) => title),
      end_action: `${root}/apps/${encodeURIComponent(row.client_id)}/end`,
    })),
  });
}

/** Without what says nothing to people, and what another line says. */
const scopesIn = (payloads: GrantPayload[]): string[] => [
  ...new Set(payloads.flatMap(scopesOf).filter((scope) => !['openid', 'offline_access'].includes(scope))),
];

/** All that the client was ever allowed, in every session: its refresh tokens and access tokens end. */
export async function endAccess(visit: Visit): Promise<void> {
  const { appId, by, deps, session } = visit;
  const { client_id: clientId = '' } = visit.ctx.params as Record<string, string>;
  const { userId } = session;
  await deps.db.transaction(appId, async (tx) => {
    const ended = await deps.access.revokeGrantsOfClient(tx, {
      appId,
      userId,
      clientId,
      why: 'ended_by_user',
    });
    if (ended.grants.length === 0) return;
    const details = { grants: ended.grants.length };
    await audit(tx, { ...by, appId, type: 'grant.revoked', userId, clientId, result: 'success', details });
  });
  goBack(visit, 'apps', 'revoked');
}
