import type { Method } from '../../method.ts';
import { mountEmailCode } from './routes.ts';

export const emailCode: Method = {
  name: 'email_code',
  isOffered: (settings) => settings.methods.email_code,
  mount: mountEmailCode,
  offer: (at) => ({ email_code_action: `${at}/email-code` }),
};
