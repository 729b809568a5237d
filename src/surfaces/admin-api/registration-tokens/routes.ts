import { z } from 'zod';
import { displayName } from '../../../apps/clients/client-input.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { liveTokens } from '../../../apps/registrations/operator-store.ts';
import { presentToken } from '../../../apps/registrations/present.ts';
import { issueInitialToken, revokeInitialToken } from '../../../apps/registrations/tokens.ts';
import { requireApp } from '../apps/require-app.ts';
import { time } from '../apps/wire.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOfSchema } from '../paging.ts';
import { appParams, registrationTokenParams } from '../params.ts';

const tag = 'Registration tokens';
const path = '/apps/{app_id}/registration-tokens';

const tokenWire = z.object({
  token_id: z.string(),
  name: z.string(),
  uses_left: z.int().nullable().meta({ description: 'null: as many as it likes.' }),
  created_at: time,
  expires_at: time.nullable(),
});

const newToken = z.strictObject({
  name: displayName,
  uses: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .meta({ description: 'How many clients it may register; without it, any number.' }),
  expires_in: z
    .int()
    .min(60)
    .max(366 * 86_400)
    .optional()
    .meta({ description: 'Seconds until it expires; without it, it lives until it is revoked.' }),
});

export function registrationTokenOperations(deps: AdminApiDeps): Operation[] {
  return [listing(deps), creation(deps), revoking(deps)];
}

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path,
    id: 'listRegistrationTokens',
    tag,
    summary: 'List the live registration tokens of an app, never their values',
    scope: 'apps:read',
    params: appParams,
    response: { status: 200, schema: pageOfSchema(tokenWire) },
    async handle({ params }) {
      await requireApp(deps, params.app_id);
      const rows = await liveTokens(everyApp(deps.operatorDb), params.app_id);
      return { items: rows.map(presentToken), next: null };
    },
  });

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path,
    id: 'issueRegistrationToken',
    tag,
    summary: 'Issue an initial access token: who holds it may register a client (RFC 7591)',
    scope: 'keys:write',
    params: appParams,
    body: newToken,
    response: {
      status: 201,
      schema: tokenWire.extend({
        registration_token: z.string().meta({ description: 'Shown now and never again.' }),
      }),
    },
    example: { name: 'Partner onboarding', uses: 5, expires_in: 604_800 },
    async handle({ params, body, by }) {
      const { token, row } = await issueInitialToken(deps, {
        appId: params.app_id,
        by,
        name: body.name,
        uses: body.uses,
        expiresInSeconds: body.expires_in,
      });
      return { ...presentToken(row), registration_token: token };
    },
  });

const revoking = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: `${path}/{token_id}`,
    id: 'revokeRegistrationToken',
    tag,
    summary: 'Revoke a registration token; clients that used it stay',
    scope: 'keys:write',
    params: registrationTokenParams,
    handle: ({ params, by }) =>
      revokeInitialToken(deps, { appId: params.app_id, tokenId: params.token_id, by }),
  });
