import { isIP } from 'node:net';
import { isPublicAddress } from './address.ts';
import { OutgoingError } from './errors.ts';

/** Where a request may go, as far as its URL tells; names still have to be resolved and their addresses looked at. */
export type Destination = {
  url: URL;
  /** Without brackets and closing dot. */
  hostname: string;
  port: number;
  /** Named by OUTBOUND_ALLOWED_HOSTS: any address, port and http are fine. */
  isExempt: boolean;
};

/** Names that mean this machine or this network, whatever a resolver makes of them (RFC 6761, 6762, 7686, 8375). */
const INNER_NAMES = /(^|\.)(localhost|localdomain|local|internal|home\.arpa|onion)$/;

/** Reads an address somebody gave us, or throws an OutgoingError. Only what the parser made of it is used afterwards. */
export function destinationOf(address: string | URL, allowedHosts: readonly string[]): Destination {
  const text = String(address);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new OutgoingError('invalid_url', url?.host);
  const named = url.hostname.replace(/\.$/, '');
  const hostname = named.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const isExempt = allowedHosts.some((entry) => entry === named || entry === `${named}:${port}`);
  if (!isExempt && !mayBeAsked(url, hostname, port)) throw new OutgoingError('blocked', url.host);
  return { url, hostname, port, isExempt };
}

function mayBeAsked(url: URL, hostname: string, port: number): boolean {
  // Below 1024 live mail, shells and the like; TLS alone does not keep what it sends from meaning something to them.
  if (url.protocol !== 'https:' || (port !== 443 && port < 1024)) return false;
  if (isIP(hostname)) return isPublicAddress(hostname);
  return /^[^.]+(\.[^.]+)+$/.test(hostname) && !INNER_NAMES.test(hostname);
}
