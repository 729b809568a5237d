import { z } from 'zod';
import { everyApp } from '../../../apps/operator-store.ts';
import { storedFapiFaults } from '../../../apps/security-profile.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { appParams } from '../params.ts';
import { requireApp } from './require-app.ts';

const profileWire = z.object({
  security_profile: z.enum(['baseline', 'fapi2']),
  fits_fapi2: z.boolean(),
  faults: z
    .array(z.object({ client_id: z.string().nullable(), setting: z.string(), reason: z.string() }))
    .meta({ description: 'What keeps the app (`client_id` null) or a client from `fapi2`.' }),
});

export const profileOperations = (deps: AdminApiDeps): Operation[] => [
  operation({
    method: 'GET',
    path: '/apps/{app_id}/security-profile',
    id: 'getSecurityProfile',
    tag: 'Apps',
    summary: 'What would keep an app from the FAPI 2.0 Security Profile; changes nothing',
    scope: 'apps:read',
    params: appParams,
    response: { status: 200, schema: profileWire },
    async handle({ params }) {
      const { settings } = await requireApp(deps, params.app_id);
      const faults = await storedFapiFaults(everyApp(deps.operatorDb), params.app_id);
      return { security_profile: settings.security_profile, fits_fapi2: faults.length === 0, faults };
    },
  }),
];
