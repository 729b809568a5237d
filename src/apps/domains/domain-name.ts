import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { domainInvalid } from './errors.ts';

/** Where the deployment is: what a domain may not be, and whether names of this machine may be one. */
export type Place = {
  baseUrl: string;
  /** In development: names below `localhost`, which browsers resolve by themselves and which need no proof. */
  allowsLocalhost: boolean;
};

/** Suffixes below which anyone registers; not complete, and need not be: nobody can prove such a name. */
const SUFFIX_ONLY = /^(com|co|net|org|edu|gov|gob|gouv|ac|mil)\.[a-z]{2}$/;

/** The challenge's label comes in front, and the whole is at most 253 characters (RFC 1035 §2.3.4). */
const LONGEST = 240;

/**
 * The one form of a domain that is stored, compared and shown: lower case, punycode, no closing dot. Problem
 * `domains.invalid` for addresses, ports, wildcards, and names that can be nobody's or are the deployment's own.
 */
export function normalizeDomain(text: string, place: Place): string {
  // What ends a host in a URL would be cut off silently by the parser.
  if (/[\s/\\@:?#%[\]]/.test(text)) throw domainInvalid('must be a name alone, without scheme, port or path');
  const name = domainToASCII(text.replace(/\.$/, ''));
  if (name === '' || name.length > LONGEST) throw domainInvalid('is not a domain name');
  // The URL standard reads 0x7f.1 and 2130706433 as addresses too, and so would a browser.
  if (isIP(name)) throw domainInvalid('must be a name, not an address');
  const labels = name.split('.');
  if (!labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)))
    throw domainInvalid('is not a domain name');
  if (isPublicSuffix(name)) throw domainInvalid('must be more than a public suffix');
  if (name === new URL(place.baseUrl).hostname) throw domainInvalid('is the address of this deployment');
  if (isOfThisMachine(name) && !place.allowsLocalhost) throw domainInvalid('is a name of this machine');
  return name;
}

/** As far as we know: a name that can be nobody's. */
export const isPublicSuffix = (name: string): boolean => !name.includes('.') || SUFFIX_ONLY.test(name);

export const isOfThisMachine = (name: string): boolean => name.endsWith('.localhost');

/**
 * Where an app with this domain is: always https and without a port, whoever ends TLS. Only a name below `localhost`
 * has scheme and port of BASE_URL.
 */
export function originOfDomain(baseUrl: string, domain: string): DomainOrigin {
  if (!isOfThisMachine(domain)) return `https://${domain}`;
  const { protocol, port } = new URL(baseUrl);
  return `${protocol === 'https:' ? 'https' : 'http'}://${domain}${port ? `:${port}` : ''}`;
}

export type DomainOrigin = `https://${string}` | `http://${string}`;

/** The TXT record that proves a domain. */
export const challengeOf = (row: { domain: string; challenge: string }) => ({
  name: `_latchkey.${row.domain}`,
  value: `latchkey-domain=${row.challenge}`,
});
