import { z } from 'zod';
import { appChangeSchema, newAppSchema } from '../../../apps/app-input.ts';
import { firstClients } from '../../../apps/clients/operator-store.ts';
import { activeDomains } from '../../../apps/domains/operator-store.ts';
import { createApp } from '../../../apps/create-app.ts';
import { deleteApp } from '../../../apps/delete-app.ts';
import { appNotFound } from '../../../apps/errors.ts';
import { appById, everyApp, listApps } from '../../../apps/operator-store.ts';
import { presentApp } from '../../../apps/present.ts';
import { toApp, toClient } from '../../../apps/registry.ts';
import { requirePasskeyHost } from '../../../apps/passkey-host.ts';
import { updateApp } from '../../../apps/update-app.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { appParams } from '../params.ts';
import { appWire, newAppWire } from './wire.ts';

const tag = 'Apps';

export function appOperations(deps: AdminApiDeps): Operation[] {
  return [listing(deps), creation(deps), reading(deps), change(deps), deletion(deps)];
}

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps',
    id: 'listApps',
    tag,
    summary: 'List apps',
    scope: 'apps:read',
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(appWire) },
    mayLag: () => true,
    async handle({ query, reads }) {
      const q = reads.ofEveryApp;
      const rows = await listApps(q, window(query));
      const clients = new Map(
        (
          await firstClients(
            q,
            rows.map((row) => row.app_id),
          )
        ).map((row) => [row.app_id, toClient(row)]),
      );
      const domains = await activeDomains(
        q,
        rows.map((row) => row.app_id),
      );
      return pageOf(rows, query, {
        cursor: (row) => row.app_id,
        present: (row) =>
          presentApp(toApp(row), clients.get(row.app_id)!, deps.baseUrl, domains.get(row.app_id)),
      });
    },
  });

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: '/apps',
    id: 'createApp',
    tag,
    summary: 'Create an app with its first client and signing key',
    scope: 'apps:write',
    body: newAppSchema,
    response: { status: 201, schema: newAppWire },
    problems: [409],
    example: {
      app_id: 'wolf-banana',
      name: 'Wolf Banana',
      type: 'web',
      redirect_uris: ['https://wolf-banana.example/callback'],
    },
    async handle({ body, by }) {
      const at = { baseUrl: deps.baseUrl, appId: undefined };
      await requirePasskeyHost(everyApp(deps.operatorDb), at, body.settings);
      const { app, client, secret } = await createApp(deps, { input: body, by });
      return {
        ...presentApp(app, client, deps.baseUrl),
        ...(secret === undefined ? {} : { client_secret: secret }),
      };
    },
  });

const reading = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}',
    id: 'getApp',
    tag,
    summary: 'Read an app',
    scope: 'apps:read',
    params: appParams,
    response: { status: 200, schema: appWire },
    async handle({ params }) {
      const q = everyApp(deps.operatorDb);
      const row = await appById(q, params.app_id);
      const [client] = row ? await firstClients(q, [row.app_id]) : [];
      if (!row || !client) throw appNotFound();
      const domain = (await activeDomains(q, [row.app_id])).get(row.app_id);
      return presentApp(toApp(row), toClient(client), deps.baseUrl, domain);
    },
  });

const change = (deps: AdminApiDeps) =>
  operation({
    method: 'PATCH',
    path: '/apps/{app_id}',
    id: 'updateApp',
    tag,
    summary: 'Change an app; settings are merged, lists are replaced',
    scope: 'apps:write',
    params: appParams,
    body: appChangeSchema,
    response: { status: 200, schema: appWire },
    problems: [409],
    example: { settings: { sign_up: 'invite_only', access_token_ttl: 300 } },
    async handle({ params, body, by }) {
      const at = { baseUrl: deps.baseUrl, appId: params.app_id };
      await requirePasskeyHost(everyApp(deps.operatorDb), at, body.settings);
      const { app, client } = await updateApp(deps, { appId: params.app_id, by, input: body });
      const domain = (await activeDomains(everyApp(deps.operatorDb), [app.appId])).get(app.appId);
      return presentApp(app, client, deps.baseUrl, domain);
    },
  });

const confirmQuery = z.strictObject({
  confirm: z
    .string()
    .max(48)
    .optional()
    .meta({ description: 'The app_id once more, because this can not be undone.' }),
});

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: '/apps/{app_id}',
    id: 'deleteApp',
    tag,
    summary: 'Delete an app: it ends at once, its users are erased, its name stays taken',
    scope: 'apps:write',
    params: appParams,
    query: confirmQuery,
    problems: [409],
    handle: ({ params, query, by }) => deleteApp(deps, { appId: params.app_id, confirm: query.confirm, by }),
  });
