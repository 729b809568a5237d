import { domainToASCII } from 'node:url';

const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The one form of an e-mail address: what is stored, looked up and mailed. undefined when it is not an address
 * we are willing to send to. Folding comes before validation, so that no two spellings of `＠` or of a letter
 * pass a check as one address and are mailed as another (CVE-2026-73420). Idempotent.
 */
export function normalizeEmail(input: unknown): string | undefined {
  if (typeof input !== 'string' || input.length > 320) return undefined;
  // Line breaks would end a mail header; format characters make two addresses look alike.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(input)) return undefined;
  const folded = input.normalize('NFKC').toLowerCase().normalize('NFKC').trim();
  const [local, domain, ...more] = folded.split('@');
  if (local === undefined || domain === undefined || more.length > 0) return undefined;
  if (local.length > 64 || !LOCAL_PART.test(local)) return undefined;
  const host = normalizeDomain(domain);
  if (host === undefined) return undefined;
  const email = `${local}@${host}`;
  return email.length <= 254 ? email : undefined;
}

function normalizeDomain(domain: string): string | undefined {
  // The URL parser behind domainToASCII decodes %, stops at / ? # and reads numbers as addresses; none of it may start.
  if (/[%/?#\\:[\]\s]/.test(domain)) return undefined;
  const host = domainToASCII(domain).toLowerCase();
  const labels = host.split('.');
  if (host.length > 253 || labels.length < 2 || !labels.every((label) => LABEL.test(label))) return undefined;
  return /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!) ? undefined : host;
}
