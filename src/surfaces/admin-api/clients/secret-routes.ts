import { z } from 'zod';
import { clientNotFound } from '../../../apps/clients/errors.ts';
import { clientById } from '../../../apps/clients/operator-store.ts';
import { addSecret, revokeSecret, rotateSecret } from '../../../apps/clients/secrets/change-secrets.ts';
import { liveSecrets } from '../../../apps/clients/secrets/operator-store.ts';
import type { IssuedSecret } from '../../../apps/clients/secrets/secret.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { presentSecret } from '../../../apps/present.ts';
import { requireApp } from '../apps/require-app.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOfSchema } from '../paging.ts';
import { clientParams, secretParams } from '../params.ts';
import { newSecretWire, secretWire } from './wire.ts';

const tag = 'Client secrets';
const path = '/apps/{app_id}/clients/{client_id}/secrets';
const TEN_YEARS = 10 * 366 * 86_400;

const expiry = z
  .int()
  .min(60)
  .max(TEN_YEARS)
  .optional()
  .meta({ description: 'Seconds until it expires; without it, it lives until it is revoked.' });
const addition = z.strictObject({ expires_in: expiry });
const rotation = z.strictObject({
  expires_in: expiry,
  old_expire_in: z.int().min(0).max(TEN_YEARS).optional().meta({
    description: 'Seconds the older secrets go on for; 0 ends them now. Without it they stay as they are.',
  }),
});

export function secretOperations(deps: AdminApiDeps): Operation[] {
  return [listing(deps), creation(deps), rotating(deps), revoking(deps)];
}

const presentIssued = ({ secret, row }: IssuedSecret) => ({ ...presentSecret(row), client_secret: secret });

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path,
    id: 'listClientSecrets',
    tag,
    summary: 'List the live secrets of a client, never their values',
    scope: 'apps:read',
    params: clientParams,
    response: { status: 200, schema: pageOfSchema(secretWire) },
    async handle({ params }) {
      await requireApp(deps, params.app_id);
      const q = everyApp(deps.operatorDb);
      if (!(await clientById(q, params.app_id, params.client_id))) throw clientNotFound();
      const secrets = await liveSecrets(q, { appId: params.app_id, clientId: params.client_id });
      return { items: secrets.map(presentSecret), next: null };
    },
  });

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path,
    id: 'addClientSecret',
    tag,
    summary: 'Add a secret beside the others (at most ten)',
    scope: 'keys:write',
    params: clientParams,
    body: addition,
    response: { status: 201, schema: newSecretWire },
    problems: [409],
    example: { expires_in: 7_776_000 },
    async handle({ params, body, by }) {
      return presentIssued(
        await addSecret(deps, {
          appId: params.app_id,
          clientId: params.client_id,
          by,
          expiresInSeconds: body.expires_in,
        }),
      );
    },
  });

const rotating = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: `${path}/rotate`,
    id: 'rotateClientSecret',
    tag,
    summary: 'A new secret, and a last date for the older ones',
    scope: 'keys:write',
    params: clientParams,
    body: rotation,
    response: { status: 201, schema: newSecretWire },
    problems: [409],
    example: { old_expire_in: 86_400 },
    async handle({ params, body, by }) {
      const at = { appId: params.app_id, clientId: params.client_id, by };
      return presentIssued(
        await rotateSecret(deps, {
          ...at,
          expiresInSeconds: body.expires_in,
          oldExpireInSeconds: body.old_expire_in,
        }),
      );
    },
  });

const revoking = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: `${path}/{secret_id}`,
    id: 'revokeClientSecret',
    tag,
    summary: 'Revoke one secret; the others go on',
    scope: 'keys:write',
    params: secretParams,
    handle: ({ params, by }) =>
      revokeSecret(deps, {
        appId: params.app_id,
        clientId: params.client_id,
        secretId: params.secret_id,
        by,
      }),
  });
