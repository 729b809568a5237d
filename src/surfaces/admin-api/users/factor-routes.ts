import { z } from 'zod';
import { audit } from '../../../events/audit.ts';
import { tellOfFactors } from '../../../sign-in/second-factor/tell.ts';
import { scoped } from '../../../storage/database.ts';
import { recoveryCodesOf, removeRecoveryCodes } from '../../../users/recovery-codes/store.ts';
import { lockUser } from '../../../users/store.ts';
import { removeTotp, totpOf } from '../../../users/totp/store.ts';
import { time } from '../apps/wire.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { userParams } from '../params.ts';
import { requireApp } from '../apps/require-app.ts';
import { requireUser } from './require-user.ts';

const path = '/apps/{app_id}/users/{user_id}/factors';
const tag = 'Second factors';

export const factorOperations = (deps: AdminApiDeps): Operation[] => [listing(deps), deletion(deps)];

const factorWire = z.object({
  factor: z.enum(['totp', 'recovery_codes']),
  created_at: time,
  last_used_at: time.nullable(),
  remaining: z.int().nullable().meta({ description: 'How many recovery codes were not used yet.' }),
});

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path,
    id: 'listUserFactors',
    tag,
    summary: 'List the second factors of a user; passkeys are listed apart',
    scope: 'users:read',
    params: userParams,
    response: { status: 200, schema: z.object({ items: z.array(factorWire), next: z.null() }) },
    async handle({ params }) {
      const { appId, userId } = await requireUser(deps, params);
      const q = scoped(deps.db, appId);
      const totp = await totpOf(q, appId, userId);
      const codes = await recoveryCodesOf(q, appId, userId);
      const items: z.output<typeof factorWire>[] = [];
      if (totp)
        items.push({
          factor: 'totp',
          created_at: totp.created_at.toISOString(),
          last_used_at: totp.last_used_at?.toISOString() ?? null,
          remaining: null,
        });
      if (codes.created_at)
        items.push({
          factor: 'recovery_codes',
          created_at: codes.created_at.toISOString(),
          last_used_at: null,
          remaining: codes.remaining,
        });
      return { items, next: null };
    },
  });

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path,
    id: 'deleteUserFactors',
    tag,
    summary: 'Remove the second factors of a user who lost them, and sign the user out everywhere',
    scope: 'users:write',
    params: userParams,
    async handle({ params, by }) {
      const { appId, userId } = await requireUser(deps, params);
      const app = await requireApp(deps, appId);
      await deps.db.transaction(appId, async (tx) => {
        const user = await lockUser(tx, appId, userId);
        const { created_at: hadCodes } = await recoveryCodesOf(tx, appId, userId);
        const hadTotp = await removeTotp(tx, appId, userId);
        await removeRecoveryCodes(tx, appId, userId);
        // What the operator wants is true already.
        if (!user || (!hadTotp && !hadCodes)) return;
        await deps.access.endUserAccess(tx, { appId, userId, why: 'factors_removed' });
        await audit(tx, { ...by, appId, type: 'factors.removed', userId, result: 'success' });
        const news = 'factors-removed';
        // Nothing to press: an operator did it, and the words say what comes next.
        await tellOfFactors(tx, deps, {
          user,
          news,
          app: { name: app.name, url: null },
          from: undefined,
          locale: 'en',
        });
      });
    },
  });
