import { requestOptions } from '../../passkeys/prove.ts';
import type { Method } from '../../method.ts';
import { mountPasskey } from './routes.ts';

export const passkey: Method = {
  name: 'passkey',
  isOffered: (settings) => settings.methods.passkey,
  mount: mountPasskey,
  offer: (at, settings, step) => ({
    passkey_action: `${at}/passkey`,
    passkey_options: JSON.stringify(requestOptions(step, 'sign_in')),
    // Whoever has a passkey elsewhere gets in here by mail, and can add one for this device.
    passkey_way_out: settings.methods.magic_link ? 'passkey.cancelled_link' : 'passkey.cancelled',
  }),
};
