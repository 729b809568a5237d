import * as http from 'node:http';
import * as https from 'node:https';
import { isIPv6 } from 'node:net';
import type { Destination } from './destination.ts';
import { OutgoingError, type OutgoingReason } from './errors.ts';

export type Outbound = {
  method: string;
  headers: Headers;
  body: Uint8Array | undefined;
  maxBytes: number;
  signal: AbortSignal;
};

// A connection for each request, and no TLS session taken up again: nothing one server set is told to another.
// An agent of our own also knows no proxy of the environment.
const agents = {
  'http:': new http.Agent({ keepAlive: false }),
  'https:': new https.Agent({ keepAlive: false, maxCachedSessions: 0 }),
};
const NO_BODY = new Set([204, 205, 304]);

/** Asks one of the addresses that were looked at, and reads the whole answer. Redirects are answers like others. */
export async function send(
  destination: Destination,
  addresses: readonly string[],
  outbound: Outbound,
): Promise<Response> {
  const request = openRequest(destination, addresses, outbound);
  try {
    const message = await answerTo(request, outbound.body);
    const { statusCode: status = 0 } = message;
    const headers = headersOf(message);
    const encoding = headers.get('content-encoding') ?? 'identity';
    // Not asked for. Unpacking is where a small answer grows large.
    if (status < 200 || status > 599 || encoding.toLowerCase() !== 'identity')
      throw new Unusable('malformed');
    const body = await bodyOf(message, headers, outbound.maxBytes);
    return new Response(NO_BODY.has(status) ? null : body, { status, headers });
  } catch (error) {
    if (outbound.signal.aborted) throw error;
    throw new OutgoingError(reasonOf(error), destination.url.host, { cause: error });
  } finally {
    request.destroy();
  }
}

function openRequest(
  { url, hostname, port }: Destination,
  addresses: readonly string[],
  { method, headers, signal }: Outbound,
): http.ClientRequest {
  const protocol = url.protocol as 'http:' | 'https:';
  const options: https.RequestOptions = {
    protocol,
    hostname,
    port,
    method,
    signal,
    path: url.pathname + url.search,
    headers: { ...Object.fromEntries(headers), host: url.host },
    agent: agents[protocol],
    lookup: pinned(addresses) as NonNullable<https.RequestOptions['lookup']>,
    maxHeaderSize: 16 * 1024,
    // As said here, whatever the environment says (NODE_TLS_REJECT_UNAUTHORIZED).
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  };
  return protocol === 'https:' ? https.request(options) : http.request(options);
}

/** In place of the resolver: the name is never asked for again, so that it can not answer differently (rebinding). */
function pinned(addresses: readonly string[]) {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (
    _hostname: string,
    options: { all?: boolean },
    done: (error: null, address: string | typeof all, family?: number) => void,
  ): void => {
    if (options.all) return done(null, all);
    done(null, all[0]!.address, all[0]!.family);
  };
}

function answerTo(request: http.ClientRequest, body: Uint8Array | undefined): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Stays: a late error of a request that was given up must not end the process.
    request.on('error', reject);
    request.once('response', resolve);
    request.end(body);
  });
}

function headersOf(message: http.IncomingMessage): Headers {
  const headers = new Headers();
  const { rawHeaders } = message;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  return headers;
}

async function bodyOf(
  message: http.IncomingMessage,
  headers: Headers,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw new Unusable('too_large');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Unusable('too_large');
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

class Unusable extends Error {
  readonly reason: OutgoingReason;
  constructor(reason: OutgoingReason) {
    super(reason);
    this.reason = reason;
  }
}

function reasonOf(error: unknown): OutgoingReason {
  if (error instanceof Unusable) return error.reason;
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (code === 'HPE_HEADER_OVERFLOW') return 'too_large';
  if (code.startsWith('HPE_') || error instanceof TypeError) return 'malformed';
  if (/CERT|ISSUER|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^EPROTO$|UNABLE_TO/.test(code)) return 'untrusted';
  return 'unreachable';
}
