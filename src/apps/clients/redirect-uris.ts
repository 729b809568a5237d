import type { ClientType } from '../app.ts';
import { originInvalid, redirectUriInvalid } from './errors.ts';

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Redirect URIs are compared as exact strings (RFC 9700 §2.1), so whatever is not plain to read is refused here.
 * Throws Problem `clients.redirect_uri_invalid` naming the element.
 */
export function requireRedirectUris(type: ClientType, field: string, uris: readonly string[]): void {
  for (const [i, uri] of uris.entries()) {
    const fault = faultOf(type, uri);
    if (fault) throw redirectUriInvalid(`${field}.${i}`, fault);
    if (uris.indexOf(uri) !== i) throw redirectUriInvalid(`${field}.${i}`, 'appears twice');
  }
}

/** One address that we send requests to, by the same rules: https, or http on loopback. */
export function requireWebUri(field: string, uri: string): void {
  const fault = webUriFault(uri);
  if (fault) throw redirectUriInvalid(field, fault);
}

/** The same, in words; undefined where it fits. */
export const webUriFault = (uri: string): string | undefined => faultOf('web', uri);

export const isLoopback = (hostname: string): boolean => LOOPBACK.has(hostname);

function faultOf(type: ClientType, uri: string): string | undefined {
  // Outside of printable ASCII, browsers and libraries disagree about what an address means; \ is / to some of them.
  if (!/^[\x21-\x7e]+$/.test(uri) || /[\\<>"`{}|^]/.test(uri))
    return 'may hold printable ASCII characters only';
  if (uri.includes('#')) return 'may not have a fragment (RFC 6749 §3.1.2)';
  if (uri.includes('*')) return 'may not have a wildcard; list each address';
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url) return 'is not an absolute URI';
  if (url.username || url.password || /^[a-z][a-z0-9+.-]*:\/\/[^/?]*@/i.test(uri))
    return 'may not name a user';
  if (url.protocol === 'https:' || url.protocol === 'http:') {
    // `https:host`, `https:///host` and a host in disguise (2130706433, %31…) read otherwise than they are followed.
    if (!uri.startsWith(`${url.protocol}//${url.host}`))
      return `must be written plainly, beginning with ${url.protocol}//${url.host}`;
    if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname))
      return 'must be https, except on localhost, 127.0.0.1 and [::1]';
    return undefined;
  }
  if (type !== 'native') return 'must be an https address';
  // The dot keeps out javascript:, data:, file: and other schemes that mean something to a browser (RFC 8252 §7.1).
  if (!/^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+:/.test(uri))
    return 'must be https, http on loopback, or a private-use scheme such as com.example.app:';
  return undefined;
}

/** Throws Problem `clients.origin_invalid` naming the element. */
export function requireOrigins(field: string, origins: readonly string[]): void {
  for (const [i, origin] of origins.entries()) {
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    const fitting =
      url &&
      url.origin === origin &&
      (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)));
    if (!fitting || origin.includes('*')) throw originInvalid(`${field}.${i}`);
  }
}
