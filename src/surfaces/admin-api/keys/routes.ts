import { z } from 'zod';
import { listKeys, type PublishedKeyRow } from '../../../apps/keys/operator-store.ts';
import { rotateKeys } from '../../../apps/keys/rotate.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { presentKey } from '../../../apps/present.ts';
import { requireApp } from '../apps/require-app.ts';
import { time } from '../apps/wire.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOfSchema } from '../paging.ts';
import { appParams } from '../params.ts';

const tag = 'Signing keys';

const keyWire = z.object({
  kid: z.string(),
  algorithm: z.string(),
  status: z.enum(['signing', 'published', 'retired']),
  public_jwk: z.record(z.string(), z.unknown()),
  created_at: time,
  retired_at: time.nullable(),
});

const rotation = z.strictObject({
  compromised: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'The kid of a key to withdraw at once, with everything it signed.' }),
});

/** Live keys come first, newest first: the first one signs. */
const presentKeys = (rows: PublishedKeyRow[]) =>
  rows.map((row, i) => presentKey(row, i === 0 && row.retired_at === null));

export function keyOperations(deps: AdminApiDeps): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/apps/{app_id}/keys',
      id: 'listKeys',
      tag,
      summary: 'List the signing keys of an app, public halves only',
      scope: 'keys:read',
      params: appParams,
      response: { status: 200, schema: pageOfSchema(keyWire) },
      async handle({ params }) {
        await requireApp(deps, params.app_id);
        return { items: presentKeys(await listKeys(everyApp(deps.operatorDb), params.app_id)), next: null };
      },
    }),
    operation({
      method: 'POST',
      path: '/apps/{app_id}/keys/rotate',
      id: 'rotateKeys',
      tag,
      summary: 'A new key signs from now on; older ones stay published',
      scope: 'keys:write',
      params: appParams,
      body: rotation,
      response: { status: 201, schema: keyWire },
      example: {},
      async handle({ params, body, by }) {
        return presentKey(
          await rotateKeys(deps, { appId: params.app_id, by, compromised: body.compromised }),
          true,
        );
      },
    }),
  ];
}
