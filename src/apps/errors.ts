import { Problem } from '../kernel/problem.ts';

export const appNotFound = () =>
  new Problem({ code: 'apps.not_found', kind: 'not_found', message: 'There is no such app.' });

export const nameReserved = () =>
  new Problem({
    code: 'apps.name_reserved',
    kind: 'invalid',
    message: 'This name is reserved. Please choose another one.',
    field: 'app_id',
  });

export const nameTaken = () =>
  new Problem({
    code: 'apps.name_taken',
    kind: 'conflict',
    message: 'An app has, or once had, this name. A name is never given again.',
    field: 'app_id',
  });

export const confirmationMissing = (appId: string) =>
  new Problem({
    code: 'apps.confirmation_missing',
    kind: 'invalid',
    message: `Deleting an app erases its users for ever. Repeat its name: ?confirm=${appId}`,
    field: 'confirm',
  });

export const appBuiltIn = () =>
  new Problem({
    code: 'apps.built_in',
    kind: 'conflict',
    message: 'This app is part of Latchkey and can not be deleted or disabled.',
  });

export const settingsInvalid = (field: string, reason: string) =>
  new Problem({ code: 'apps.settings_invalid', kind: 'invalid', message: `${field}: ${reason}`, field });

/** The sentence names the first faults; `GET /apps/{app_id}/security-profile` lists all that are stored. */
export const profileUnmet = (
  faults: readonly { client_id: string | null; setting: string; reason: string }[],
) =>
  new Problem({
    code: 'apps.profile_unmet',
    kind: 'conflict',
    message: `The security profile fapi2 does not allow this: ${faults.map(faultInWords).join('; ')}`,
    field: 'settings.security_profile',
  });

const faultInWords = (fault: { client_id: string | null; setting: string; reason: string }): string =>
  `${fault.client_id === null ? '' : `client ${fault.client_id}: `}${fault.setting} ${fault.reason}`;
