import { timeIn } from './clock.ts';
import { deviceInWords, type NamedDevice } from './device-in-words.ts';
import { t, type MessageValues } from './messages.ts';

/** What a mail says, apart from how it looks; the HTML and the text part are two renderings of it. */
export type MailContent = {
  subject: string;
  heading: string;
  paragraphs: string[];
  button: { label: string; url: string } | null;
  /** To be typed; shown large. */
  code: string | null;
  facts: { label: string; value: string }[];
  closing: string[];
};

export type MailModel = {
  app_name?: string;
  url?: string | null;
  place?: string | null;
  device?: NamedDevice;
  requested_at?: string | null;
  code?: string;
  expires_minutes?: number;
  expires_hours?: number;
  /** Name of the passkey that the mail is about. */
  passkey?: string;
  codes_left?: number;
};

type Say = (key: string, values?: MessageValues) => string;
type Mail = { key: string; button: boolean; facts: boolean; defaults: MessageValues };

/** What became of a second factor: one mail, whose words choose by this. */
const FACTOR_NEWS = [
  'totp_enabled',
  'totp_removed',
  'recovery_codes_made',
  'recovery_code_used',
  'factors_removed',
] as const;

const MAILS: Record<string, Mail> = {
  'magic-link': { key: 'magic_link', button: true, facts: true, defaults: { minutes: 10 } },
  'email-code': { key: 'email_code', button: false, facts: true, defaults: { minutes: 10 } },
  // With the same facts as for an address that has an account: so that both take as long to write.
  'sign-up': { key: 'sign_up', button: true, facts: true, defaults: { hours: 24 } },
  'sign-up-existing': { key: 'sign_up_existing', button: true, facts: true, defaults: {} },
  reset: { key: 'reset', button: true, facts: true, defaults: { minutes: 10 } },
  'password-changed': { key: 'password_changed', button: true, facts: true, defaults: {} },
  'new-device': { key: 'new_device', button: true, facts: true, defaults: {} },
  'account-deleted': { key: 'account_deleted', button: true, facts: true, defaults: {} },
  'email-change': { key: 'email_change', button: true, facts: true, defaults: { hours: 24 } },
  'email-change-taken': { key: 'email_change_taken', button: true, facts: true, defaults: {} },
  'email-changed': { key: 'email_changed', button: true, facts: true, defaults: { hours: 72 } },
  'email-change-undone': { key: 'email_change_undone', button: true, facts: true, defaults: {} },
  'password-removed': { key: 'password_removed', button: true, facts: true, defaults: {} },
  'passkey-added': { key: 'passkey_added', button: true, facts: true, defaults: { passkey: '' } },
  'passkey-removed': { key: 'passkey_removed', button: true, facts: true, defaults: { passkey: '' } },
  invitation: { key: 'invitation', button: true, facts: false, defaults: { hours: 24 } },
  'sign-in-blocked': { key: 'sign_in_blocked', button: false, facts: true, defaults: {} },
};

for (const what of FACTOR_NEWS)
  MAILS[what.replaceAll('_', '-')] = {
    key: 'factor_changed',
    button: true,
    facts: true,
    defaults: { what, left: 0 },
  };

export const MAIL_NAMES: readonly string[] = Object.keys(MAILS);

function factsOf(say: Say, model: MailModel, locale: string): MailContent['facts'] {
  const rows: [string, string | null | undefined][] = [
    [say('fact.place'), model.place],
    [say('fact.device'), deviceInWords(locale, model.device)],
    [say('fact.time'), model.requested_at && timeIn(locale, model.requested_at)],
  ];
  return rows.flatMap(([label, value]) => (value ? [{ label, value }] : []));
}

/** Throws for a mail that does not exist. */
export function composeMail(name: string, model: MailModel, locale: string): MailContent {
  const mail = MAILS[name];
  if (mail === undefined) throw new Error(`no mail ${name}`);
  const app = model.app_name ?? '';
  const values: MessageValues = { app, ...mail.defaults };
  if (model.passkey !== undefined) values.passkey = model.passkey;
  if (model.expires_minutes !== undefined) values.minutes = model.expires_minutes;
  if (model.expires_hours !== undefined) values.hours = model.expires_hours;
  if (model.codes_left !== undefined) values.left = model.codes_left;
  // Two days and more are told in days.
  const days = Number(values.hours ?? 0) / 24;
  values.days = days >= 2 && Number.isInteger(days) ? days : 0;
  const say: Say = (key, extra = {}) => t(locale, key, { ...values, ...extra });
  const url = mail.button ? model.url : null;
  return {
    // A line break in an app's name would start another header (RFC 5322 §2.2).
    subject: say(`mail.${mail.key}.subject`).replace(/[\p{Cc}\u2028\u2029]+/gu, ' '),
    heading: say(`mail.${mail.key}.heading`),
    paragraphs: [say(`mail.${mail.key}.body`)],
    button: url ? { label: say(`mail.${mail.key}.button`), url } : null,
    code: model.code ?? null,
    facts: mail.facts ? factsOf(say, model, locale) : [],
    closing: [say(`mail.${mail.key}.ignore`)],
  };
}
