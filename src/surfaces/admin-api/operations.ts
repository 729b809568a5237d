import { apiOperations } from './apis/routes.ts';
import { profileOperations } from './apps/profile-routes.ts';
import { logoOperations } from './apps/logo-routes.ts';
import { appOperations } from './apps/routes.ts';
import { auditEventOperations } from './audit-events/routes.ts';
import { clientOperations } from './clients/routes.ts';
import { secretOperations } from './clients/secret-routes.ts';
import type { AdminApiDeps } from './deps.ts';
import { domainOperations } from './domains/routes.ts';
import { keyOperations } from './keys/routes.ts';
import type { Operation } from './operation.ts';
import { tokenHookOperations } from './token-hook/routes.ts';
import { registrationTokenOperations } from './registration-tokens/routes.ts';
import { accessOperations } from './users/access-routes.ts';
import { subjectOperations } from './users/subject-routes.ts';
import { factorOperations } from './users/factor-routes.ts';
import { passkeyOperations } from './users/passkey-routes.ts';
import { userOperations } from './users/routes.ts';

/** Every operation of the Admin API, in the order in which the documentation shows them. */
export function adminOperations(deps: AdminApiDeps): readonly Operation[] {
  return [
    ...appOperations(deps),
    ...logoOperations(deps),
    ...profileOperations(deps),
    ...domainOperations(deps),
    ...clientOperations(deps),
    ...secretOperations(deps),
    ...apiOperations(deps),
    ...registrationTokenOperations(deps),
    ...keyOperations(deps),
    ...tokenHookOperations(deps),
    ...userOperations(deps),
    ...subjectOperations(deps),
    ...accessOperations(deps),
    ...passkeyOperations(deps),
    ...factorOperations(deps),
    ...auditEventOperations(deps),
  ];
}
