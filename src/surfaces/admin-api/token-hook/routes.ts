import { z } from 'zod';
import {
  createHook,
  deleteHook,
  type IssuedHook,
  rotateHookSecret,
  updateHook,
} from '../../../apps/token-hook/change-hook.ts';
import { hookNotFound } from '../../../apps/token-hook/errors.ts';
import { newTokenHookSchema, tokenHookChangeSchema } from '../../../apps/token-hook/hook.ts';
import { hookOf } from '../../../apps/token-hook/operator-store.ts';
import { presentHook } from '../../../apps/token-hook/present.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { requireApp } from '../apps/require-app.ts';
import { time } from '../apps/wire.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { appParams } from '../params.ts';

const tag = 'Token hook';
const path = '/apps/{app_id}/token-hook';

const hookWire = z.object({
  url: z.string(),
  timeout_ms: z.int(),
  grant_types: z.array(z.string()).nullable(),
  old_secret_expires_at: time.nullable(),
  created_at: time,
  updated_at: time,
});
const newHookWire = hookWire.extend({
  secret: z.string().meta({ description: 'Signs the requests: shown now and never again.' }),
});
const rotation = z.strictObject({
  old_expire_in: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(86_400)
    .meta({ description: 'Seconds the old secret goes on signing beside the new one; 0 ends it now.' }),
});

const presentIssued = ({ row, secret }: IssuedHook) => ({ ...presentHook(row), secret });

export function tokenHookOperations(deps: AdminApiDeps): Operation[] {
  return [reading(deps), creation(deps), change(deps), rotating(deps), deletion(deps)];
}

const reading = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path,
    id: 'getTokenHook',
    tag,
    summary: 'The hook that is asked before tokens of the app are issued',
    scope: 'apps:read',
    params: appParams,
    response: { status: 200, schema: hookWire },
    async handle({ params }) {
      await requireApp(deps, params.app_id);
      const row = await hookOf(everyApp(deps.operatorDb), params.app_id);
      if (!row) throw hookNotFound();
      return presentHook(row);
    },
  });

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path,
    id: 'createTokenHook',
    tag,
    summary: 'Ask a hook before tokens of the app are issued; without its answer none are',
    scope: 'keys:write',
    params: appParams,
    body: newTokenHookSchema,
    response: { status: 201, schema: newHookWire },
    problems: [409],
    example: { url: 'https://hooks.shop.example/tokens', timeout_ms: 1000 },
    async handle({ params, body, by }) {
      return presentIssued(await createHook(deps, { appId: params.app_id, by, input: body }));
    },
  });

const change = (deps: AdminApiDeps) =>
  operation({
    method: 'PATCH',
    path,
    id: 'updateTokenHook',
    tag,
    summary: 'Change the hook; its secret stays',
    scope: 'keys:write',
    params: appParams,
    body: tokenHookChangeSchema,
    response: { status: 200, schema: hookWire },
    example: { grant_types: ['authorization_code', 'refresh_token'] },
    async handle({ params, body, by }) {
      return presentHook(await updateHook(deps, { appId: params.app_id, by, input: body }));
    },
  });

const rotating = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: `${path}/rotate-secret`,
    id: 'rotateTokenHookSecret',
    tag,
    summary: 'A new secret; requests bear both signatures until the old one ends',
    scope: 'keys:write',
    params: appParams,
    body: rotation,
    response: { status: 201, schema: newHookWire },
    example: { old_expire_in: 3600 },
    async handle({ params, body, by }) {
      return presentIssued(
        await rotateHookSecret(deps, {
          appId: params.app_id,
          by,
          oldExpireInSeconds: body.old_expire_in,
        }),
      );
    },
  });

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path,
    id: 'deleteTokenHook',
    tag,
    summary: 'Issue tokens unasked again',
    scope: 'keys:write',
    params: appParams,
    handle: ({ params, by }) => deleteHook(deps, { appId: params.app_id, by }),
  });
