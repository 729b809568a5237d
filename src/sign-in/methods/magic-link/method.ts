import type { Method } from '../../method.ts';
import { mountMagicLink } from './routes.ts';

export const magicLink: Method = {
  name: 'magic_link',
  isOffered: (settings) => settings.methods.magic_link,
  mount: mountMagicLink,
  offer: (at) => ({ show_magic_link: true, magic_link_action: `${at}/magic-link` }),
};
