import { z } from 'zod';
import { deploymentShelf } from '../../../apps/keys/deployment/operator-store.ts';
import { rotateDeploymentKeys } from '../../../apps/keys/deployment/rotate.ts';
import { appShelf } from '../../../apps/keys/operator-store.ts';
import { rotateKeys } from '../../../apps/keys/rotate.ts';
import type { KeyShelf, KeyStateRow } from '../../../apps/keys/shelf.ts';
import { signingAlgorithms } from '../../../apps/keys/signer.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { presentKeys } from '../../../apps/present.ts';
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
  status: z
    .enum(['next', 'signing', 'verifying', 'retired', 'compromised'])
    .meta({ description: 'next, signing and verifying keys are in the JWKS.' }),
  public_jwk: z.record(z.string(), z.unknown()),
  created_at: time,
  active_at: time.meta({ description: 'From when on it signs.' }),
  retires_at: time
    .nullable()
    .meta({ description: 'When it leaves, or left, the JWKS; null until another key follows.' }),
});

const rotation = z.strictObject({
  compromised: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'The kid of a key to withdraw at once, with everything it signed.' }),
  algorithm: z
    .enum(signingAlgorithms)
    .optional()
    .meta({ description: 'What the next key signs with; without it, what is in use now.' }),
});

/** Keys of an app, and those of the shared issuer. */
export function keyOperations(deps: AdminApiDeps): Operation[] {
  const list = async (shelf: KeyShelf) => presentKeys(await shelf.list(everyApp(deps.operatorDb)));
  const listed = async (shelf: KeyShelf) => ({ items: await list(shelf), next: null });
  const one = async (shelf: KeyShelf, row: KeyStateRow) =>
    (await list(shelf)).find((key) => key.kid === row.key_id);
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
        return listed(appShelf(params.app_id));
      },
    }),
    operation({
      method: 'POST',
      path: '/apps/{app_id}/keys/rotate',
      id: 'rotateKeys',
      tag,
      summary:
        'Publish the next key; it signs once verifiers know it, and older ones stay published meanwhile',
      scope: 'keys:write',
      params: appParams,
      body: rotation,
      response: { status: 201, schema: keyWire },
      example: {},
      handle: async ({ params, body, by }) =>
        one(appShelf(params.app_id), await rotateKeys(deps, { appId: params.app_id, by, ...body })),
    }),
    operation({
      method: 'GET',
      path: '/keys',
      id: 'listDeploymentKeys',
      tag,
      summary: 'List the signing keys of the shared issuer, public halves only',
      scope: 'keys:read',
      response: { status: 200, schema: pageOfSchema(keyWire) },
      handle: () => listed(deploymentShelf),
    }),
    operation({
      method: 'POST',
      path: '/keys/rotate',
      id: 'rotateDeploymentKeys',
      tag,
      summary: 'The same for the shared issuer, which signs for every app',
      scope: 'keys:write',
      body: rotation,
      response: { status: 201, schema: keyWire },
      example: {},
      handle: async ({ body, by }) => one(deploymentShelf, await rotateDeploymentKeys(deps, { by, ...body })),
    }),
  ];
}
