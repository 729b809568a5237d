import type { IncomingMessage } from 'node:http';

/**
 * The name a request was sent to: lower case, without port, brackets for IPv6 kept off. undefined where the request
 * does not say it in one clear way. It only ever chooses among configured names; no address is built from it.
 */
export function hostnameOf(request: Pick<IncomingMessage, 'rawHeaders' | 'url'>): string | undefined {
  const [host, ...others] = headersNamed(request, 'host');
  // RFC 9112 §3.2: more than one Host, or a target that names another one, is a way to be two requests at once.
  if (host === undefined || others.length > 0 || !request.url?.startsWith('/')) return undefined;
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** Every header of a name, as it came; Node itself keeps only the first of several. */
function headersNamed({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at]!;
    if (given.length === name.length && given.toLowerCase() === name) found.push(rawHeaders[at + 1]!);
  }
  return found;
}
