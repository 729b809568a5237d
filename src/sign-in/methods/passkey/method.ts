import { requestOptions } from '../../passkeys/prove.ts';
import type { Method } from '../../method.ts';
import { mountPasskey } from './routes.ts';

export const passkey: Method = {
  name: 'passkey',
  isOffered: (settings) => settings.methods.passkey,
  mount: mountPasskey,
  offer: (at, _settings, step) => ({
    passkey_action: `${at}/passkey`,
    passkey_options: JSON.stringify(requestOptions(step, 'sign_in')),
  }),
};
