import type { z } from 'zod';
import { deleteLogo, MAX_UPLOAD, setLogo } from '../../../apps/logo/change-logo.ts';
import { presentLogo } from '../../../apps/logo/present.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { appParams } from '../params.ts';
import { logoWire } from './wire.ts';

const tag = 'Apps';
const path = '/apps/{app_id}/logo';

export const logoOperations = (deps: AdminApiDeps): Operation[] => [
  operation<z.output<typeof appParams>, undefined, Buffer>({
    method: 'PUT',
    path,
    id: 'setAppLogo',
    tag,
    summary: 'Show a logo on the pages and in the mails of an app: a PNG, drawn anew from its pixels',
    scope: 'apps:write',
    params: appParams,
    file: { type: 'image/png', maxBytes: MAX_UPLOAD },
    response: { status: 200, schema: logoWire },
    async handle({ params, body, by }) {
      return presentLogo(params.app_id, await setLogo(deps, { appId: params.app_id, by, file: body }));
    },
  }),
  operation({
    method: 'DELETE',
    path,
    id: 'deleteAppLogo',
    tag,
    summary: 'Show the first letter of the name instead of a logo again',
    scope: 'apps:write',
    params: appParams,
    handle: ({ params, by }) => deleteLogo(deps, { appId: params.app_id, by }),
  }),
];
