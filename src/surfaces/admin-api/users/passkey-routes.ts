import { z } from 'zod';
import { audit } from '../../../events/audit.ts';
import { scoped } from '../../../storage/database.ts';
import { passkeyNotFound } from '../../../users/errors.ts';
import { afterFactorChange } from '../../../users/factors/remove.ts';
import type { Passkey } from '../../../users/passkeys/passkey.ts';
import { deletePasskey, passkeysOf } from '../../../users/passkeys/store.ts';
import { requireUser } from './require-user.ts';
import { time } from '../apps/wire.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { passkeyParams, userParams } from '../params.ts';

const path = '/apps/{app_id}/users/{user_id}/passkeys';
const tag = 'Passkeys';

export const passkeyOperations = (deps: AdminApiDeps): Operation[] => [listing(deps), deletion(deps)];

const passkeyWire = z.object({
  passkey_id: z.string(),
  name: z.string(),
  rp_id: z.string().meta({ description: 'The host that it works at.' }),
  aaguid: z.string().meta({ description: 'Model of the authenticator, as it says of itself.' }),
  attestation_format: z.string(),
  synced: z.boolean().meta({ description: 'Whether it may be copied to other devices of its owner.' }),
  backed_up: z.boolean(),
  transports: z.array(z.string()),
  created_at: time,
  last_used_at: time.nullable(),
});

const present = (passkey: Passkey): z.output<typeof passkeyWire> => ({
  passkey_id: passkey.passkeyId,
  name: passkey.name,
  rp_id: passkey.rpId,
  aaguid: passkey.aaguid,
  attestation_format: passkey.format,
  synced: passkey.backupEligible,
  backed_up: passkey.backedUp,
  transports: passkey.transports,
  created_at: passkey.createdAt.toISOString(),
  last_used_at: passkey.lastUsedAt?.toISOString() ?? null,
});

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path,
    id: 'listUserPasskeys',
    tag,
    summary: 'List the passkeys of a user, newest first',
    scope: 'users:read',
    params: userParams,
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(passkeyWire) },
    async handle({ params, query }) {
      const { appId, userId } = await requireUser(deps, params);
      const rows = await passkeysOf(scoped(deps.db, appId), { appId, userId, ...window(query) });
      return pageOf(rows, query, { cursor: (row) => row.passkeyId, present });
    },
  });

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: `${path}/{passkey_id}`,
    id: 'deleteUserPasskey',
    tag,
    summary: 'Delete a passkey, as for a lost phone, and sign the user out everywhere',
    scope: 'users:write',
    params: passkeyParams,
    async handle({ params, by }) {
      const { appId, userId } = await requireUser(deps, params);
      const passkeyId = params.passkey_id;
      await deps.db.transaction(appId, async (tx) => {
        const name = await deletePasskey(tx, { appId, userId, passkeyId });
        if (name === undefined) throw passkeyNotFound();
        await afterFactorChange(tx, appId, userId);
        await deps.access.endUserAccess(tx, { appId, userId, why: 'passkey_removed' });
        const details = { passkey_id: passkeyId, name };
        await audit(tx, { ...by, appId, type: 'passkey.removed', userId, result: 'success', details });
      });
    },
  });
