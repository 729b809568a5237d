import type { Method } from '../../method.ts';
import { mountRecovery } from './recovery/routes.ts';
import { mountPassword } from './routes.ts';
import { mountSignUp } from './sign-up/routes.ts';

export const password: Method = {
  name: 'password',
  isOffered: (settings) => settings.methods.password,
  mount(router, deps, showSignIn) {
    mountPassword(router, deps, showSignIn);
    mountSignUp(router, deps);
    mountRecovery(router, deps);
  },
  offer: (at, settings) => ({
    show_password: true,
    action: `${at}/password`,
    forgot_url: `${at}/forgot`,
    sign_up_url: settings.sign_up !== 'invite_only' ? `${at}/sign-up` : null,
  }),
};
