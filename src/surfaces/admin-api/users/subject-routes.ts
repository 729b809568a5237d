import { z } from 'zod';
import { clientNotFound } from '../../../apps/clients/errors.ts';
import { clientById, listClients } from '../../../apps/clients/operator-store.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { toClient } from '../../../apps/registry.ts';
import { subjectOf } from '../../../apps/subjects/pairwise.ts';
import { openSalt } from '../../../apps/subjects/salt.ts';
import { servedSalt } from '../../../apps/subjects/store.ts';
import { scoped } from '../../../storage/database.ts';
import { userNotFound } from '../../../users/errors.ts';
import { userById } from '../../../users/store.ts';
import { userOfSubject } from '../../../users/subjects.ts';
import { requireApp } from '../apps/require-app.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { subjectParams, userParams } from '../params.ts';

const subjectWire = z.object({
  client_id: z.string(),
  sub: z
    .string()
    .meta({ description: 'What the client calls the user: the user id, unless it is pairwise.' }),
  user_id: z.string(),
});

export function subjectOperations(deps: AdminApiDeps): Operation[] {
  return [subjectListing(deps), subjectLookup(deps)];
}

const subjectListing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/users/{user_id}/subjects',
    id: 'listUserSubjects',
    tag: 'Users',
    summary: 'What each client of the app calls a user',
    scope: 'users:read',
    params: userParams,
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(subjectWire) },
    async handle({ params, query }) {
      const { appId } = await requireApp(deps, params.app_id);
      const userId = params.user_id;
      if (!(await userById(scoped(deps.db, appId), appId, userId))) throw userNotFound();
      const salt = await saltOf(deps, appId);
      return pageOf(await listClients(everyApp(deps.operatorDb), appId, window(query)), query, {
        cursor: (row) => row.client_id,
        present: (row) => ({
          client_id: row.client_id,
          sub: subjectOf(salt, toClient(row), userId),
          user_id: userId,
        }),
      });
    },
  });

const subjectLookup = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/clients/{client_id}/subjects/{sub}',
    id: 'findUserBySubject',
    tag: 'Users',
    summary:
      'Whom a client means by a `sub`; goes through all users of the app, so it is for people, not for programs',
    scope: 'users:read',
    params: subjectParams,
    response: { status: 200, schema: subjectWire },
    async handle({ params }) {
      const { appId } = await requireApp(deps, params.app_id);
      const { client_id: clientId, sub } = params;
      const row = await clientById(everyApp(deps.operatorDb), appId, clientId);
      if (!row) throw clientNotFound();
      const at = { client: toClient(row), salt: await saltOf(deps, appId), subject: sub };
      const userId = await userOfSubject(scoped(deps.db, appId), at);
      if (userId === undefined) throw userNotFound();
      return { client_id: clientId, sub, user_id: userId };
    },
  });

async function saltOf(deps: AdminApiDeps, appId: string): Promise<Buffer | undefined> {
  const [row] = await servedSalt(scoped(deps.db, appId), appId);
  return row && openSalt(deps.rootKeys, appId, row.salt);
}
