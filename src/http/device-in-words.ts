import { t } from './messages.ts';

/** Browser and system as far as they have names; a text where somebody has put it in words already. */
export type NamedDevice = { browser: string | null; os: string | null } | string | null | undefined;

/** "Firefox on Windows" in the language of whoever reads it; '' for what has no name. */
export function deviceInWords(locale: string, device: NamedDevice): string {
  if (typeof device === 'string') return device;
  const { browser = null, os = null } = device ?? {};
  return browser && os ? t(locale, 'account.device', { browser, os }) : (browser ?? os ?? '');
}
