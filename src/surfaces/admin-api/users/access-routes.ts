import { audit } from '../../../events/audit.ts';
import { grantNotFound, sessionNotFound } from '../../../users/errors.ts';
import { listLiveGrants } from '../../../users/grants/store.ts';
import { listLiveSessions } from '../../../users/sessions/store.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { grantParams, sessionParams, userParams } from '../params.ts';
import { requireUser } from './require-user.ts';
import { presentGrant, presentSession } from './present.ts';
import { grantWire, sessionWire } from './wire.ts';

const user = '/apps/{app_id}/users/{user_id}';
const BY_OPERATOR = 'ended_by_operator';

export function accessOperations(deps: AdminApiDeps): Operation[] {
  return [
    sessionListing(deps),
    sessionEnding(deps),
    sessionsEnding(deps),
    grantListing(deps),
    grantEnding(deps),
  ];
}

const sessionListing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: `${user}/sessions`,
    id: 'listUserSessions',
    tag: 'Sessions',
    summary: 'List where a user is signed in, newest first',
    scope: 'users:read',
    params: userParams,
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(sessionWire) },
    mayLag: () => true,
    async handle({ params, query, reads }) {
      const { appId, userId } = await requireUser(deps, params);
      const rows = await listLiveSessions(reads.ofApp(appId), { appId, userId, ...window(query) });
      return pageOf(rows, query, {
        cursor: (row) => row.session_id,
        present: (row) => presentSession(row, deps.places),
      });
    },
  });

const sessionEnding = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: `${user}/sessions/{session_id}`,
    id: 'endUserSession',
    tag: 'Sessions',
    summary: 'End one session',
    scope: 'users:write',
    params: sessionParams,
    async handle({ params, by }) {
      const { appId, userId } = await requireUser(deps, params);
      const sessionId = params.session_id;
      await deps.db.transaction(appId, async (tx) => {
        const ended = await deps.access.endSessionOfUser(tx, { appId, userId, sessionId, why: BY_OPERATOR });
        if (ended.sessions.length === 0) throw sessionNotFound();
        await audit(tx, { ...by, appId, type: 'session.ended', userId, sessionId, result: 'success' });
      });
    },
  });

const sessionsEnding = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: `${user}/sessions`,
    id: 'endUserSessions',
    tag: 'Sessions',
    summary: 'Sign a user out everywhere: all sessions, refresh tokens and access tokens',
    scope: 'users:write',
    params: userParams,
    async handle({ params, by }) {
      const { appId, userId } = await requireUser(deps, params);
      await deps.db.transaction(appId, async (tx) => {
        const ended = await deps.access.endUserAccess(tx, { appId, userId, why: BY_OPERATOR });
        const details = { sessions: ended.sessions.length, grants: ended.grants.length };
        await audit(tx, {
          ...by,
          appId,
          type: 'user.signed_out_everywhere',
          userId,
          result: 'success',
          details,
        });
      });
    },
  });

const grantListing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: `${user}/grants`,
    id: 'listUserGrants',
    tag: 'Grants',
    summary: 'List what a user allowed which client',
    scope: 'users:read',
    params: userParams,
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(grantWire) },
    mayLag: () => true,
    async handle({ params, query, reads }) {
      const { appId, userId } = await requireUser(deps, params);
      const rows = await listLiveGrants(reads.ofApp(appId), { appId, userId, ...window(query) });
      return pageOf(rows, query, { cursor: (row) => row.grant_id, present: presentGrant });
    },
  });

const grantEnding = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: `${user}/grants/{grant_id}`,
    id: 'revokeUserGrant',
    tag: 'Grants',
    summary: 'Revoke a grant with its refresh and access tokens',
    scope: 'users:write',
    params: grantParams,
    async handle({ params, by }) {
      const { appId, userId } = await requireUser(deps, params);
      await deps.db.transaction(appId, async (tx) => {
        const ended = await deps.access.revokeGrantOfUser(tx, {
          appId,
          userId,
          grantId: params.grant_id,
          why: BY_OPERATOR,
        });
        const [grant] = ended.grants;
        if (!grant) throw grantNotFound();
        const details = { grant_id: params.grant_id };
        await audit(tx, {
          ...by,
          appId,
          type: 'grant.revoked',
          userId,
          clientId: grant.client_id,
          result: 'success',
          details,
        });
      });
    },
  });
