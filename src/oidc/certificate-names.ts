import type { X509Certificate } from 'node:crypto';
import { BlockList, isIP } from 'node:net';

/** The client setting, in the library's terms, that says what the certificate of `tls_client_auth` is called. */
export type CertificateNameSetting =
  | 'tls_client_auth_subject_dn'
  | 'tls_client_auth_san_dns'
  | 'tls_client_auth_san_uri'
  | 'tls_client_auth_san_ip'
  | 'tls_client_auth_san_email';

/** RFC 8705 §2.1.2. What can not be read clearly matches nothing. */
export function certificateIsCalled(
  certificate: X509Certificate,
  setting: CertificateNameSetting,
  expected: string,
): boolean {
  if (setting === 'tls_client_auth_subject_dn')
    return sameName(namePartsOf(certificate), parseName(expected));
  const names = alternativeNames(certificate.subjectAltName ?? '');
  switch (setting) {
    case 'tls_client_auth_san_dns':
      // The name itself: a wildcard certificate stands for many machines, not for a client.
      return names.some((name) => name.kind === 'DNS' && name.value.toLowerCase() === expected.toLowerCase());
    case 'tls_client_auth_san_uri':
      return names.some((name) => name.kind === 'URI' && name.value === expected);
    case 'tls_client_auth_san_ip':
      return names.some((name) => name.kind === 'IP Address' && sameAddress(name.value, expected));
    case 'tls_client_auth_san_email':
      return names.some((name) => name.kind === 'email' && name.value === expected);
  }
}

/** Relative distinguished names, the most significant one last, each as its sorted `TYPE=value` parts. */
type Name = string[][];

const ALIASES: Record<string, string> = { E: 'EMAILADDRESS', EMAIL: 'EMAILADDRESS', S: 'ST' };

/** Node writes one per line in the certificate's order, escaped as in RFC 2253; RFC 4514 begins at the other end. */
function namePartsOf(certificate: X509Certificate): Name | undefined {
  if (!certificate.subject) return undefined;
  return partsOf(certificate.subject.split('\n').toReversed());
}

function parseName(text: string): Name | undefined {
  return partsOf(splitUnescaped(text, ','));
}

function partsOf(relativeNames: string[]): Name | undefined {
  const parts = relativeNames.map((one) => splitUnescaped(one, '+').map(attributeOf).toSorted());
  return parts.some((one) => one.includes('')) ? undefined : parts;
}

/** '' when it is none. */
function attributeOf(text: string): string {
  const match = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*([^]*)$/.exec(text);
  if (!match) return '';
  const type = match[1]!.toUpperCase();
  return `${ALIASES[type] ?? type}=${unescaped(withoutTail(match[2]!))}`;
}

/** Spaces at the end count only where they are escaped. */
const withoutTail = (value: string): string => value.replace(/((?:\\.|[^\\\s])?)\s*$/, '$1');

function unescaped(value: string): string {
  const bytes: number[] = [];
  const encode = (text: string): number => bytes.push(...Buffer.from(text));
  for (let i = 0; i < value.length; i += 1) {
    const pair = /^\\([0-9a-fA-F]{2})/.exec(value.slice(i, i + 3))?.[1];
    if (pair !== undefined) {
      bytes.push(Number.parseInt(pair, 16));
      i += 2;
    } else {
      if (value[i] === '\\') i += 1;
      const character = String.fromCodePoint(value.codePointAt(i) ?? 0);
      encode(character);
      i += character.length - 1;
    }
  }
  return Buffer.from(bytes).toString('utf8');
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts = [''];
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === separator) parts.push('');
    else {
      const length = text[i] === '\\' ? 2 : 1;
      parts.push(`${parts.pop() ?? ''}${text.slice(i, i + length)}`);
      i += length - 1;
    }
  }
  return parts;
}

function sameName(a: Name | undefined, b: Name | undefined): boolean {
  return a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** `DNS:a.example, URI:"https://b.example/,c"`: Node quotes what holds a comma, so that no name can pass as two. */
function alternativeNames(text: string): { kind: string; value: string }[] {
  const names: { kind: string; value: string }[] = [];
  const entry = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const match = entry.exec(text);
    if (!match) return [];
    const value = match[2]!.startsWith('"') ? String(JSON.parse(match[2]!)) : match[2]!;
    names.push({ kind: match[1]!, value });
  }
  return names;
}

function sameAddress(a: string, b: string): boolean {
  const family = isIP(a);
  if (family === 0 || family !== isIP(b)) return false;
  const list = new BlockList();
  list.addAddress(a, family === 6 ? 'ipv6' : 'ipv4');
  return list.check(b, family === 6 ? 'ipv6' : 'ipv4');
}
