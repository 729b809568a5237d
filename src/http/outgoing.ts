import { destinationOf } from './outgoing/destination.ts';
import { OutgoingError } from './outgoing/errors.ts';
import { addressesOf, type Resolve } from './outgoing/resolve.ts';
import { send } from './outgoing/send.ts';

export type OutgoingRequest = {
  method?: string;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: string | Uint8Array | URLSearchParams;
  maxBytes?: number;
  /** For all of it: name, connection, headers and body. */
  timeoutMs?: number;
  signal?: AbortSignal;
};

/**
 * Fetches an address that somebody else named. Throws an OutgoingError for addresses that are not on the public
 * internet and for answers that are too slow or too large. Follows no redirect: a 3xx is returned as it is.
 */
export type Outgoing = (url: string | URL, init?: OutgoingRequest) => Promise<Response>;

export type OutgoingOptions = {
  /** OUTBOUND_ALLOWED_HOSTS: exempt from the rules about addresses, ports and https; not from the limits. */
  allowedHosts: readonly string[];
  log: { warn(fields: object, message: string): void };
  resolve?: Resolve;
};

export const OUTGOING_TIMEOUT_MS = 5000;
export const OUTGOING_MAX_BYTES = 256 * 1024;

/** Never the caller's to choose: they say where the message ends or who we are. */
const OURS = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'te',
  'cookie',
  'expect',
];

export function createOutgoing({ allowedHosts, log, resolve }: OutgoingOptions): Outgoing {
  return async (url, init = {}) => {
    const limit = AbortSignal.timeout(init.timeoutMs ?? OUTGOING_TIMEOUT_MS);
    const signal = init.signal ? AbortSignal.any([limit, init.signal]) : limit;
    let host: string | undefined;
    try {
      const destination = destinationOf(url, allowedHosts);
      ({ host } = destination.url);
      const addresses = await addressesOf(destination, resolve, signal);
      return await send(destination, addresses, {
        method: init.method ?? 'GET',
        headers: headersFor(init),
        body: bytesOf(init.body),
        maxBytes: init.maxBytes ?? OUTGOING_MAX_BYTES,
        signal,
      });
    } catch (error) {
      const failure = signal.aborted ? givenUp(signal, host) : error;
      // Host and reason: paths and queries may hold secrets, and bodies are not ours to keep.
      if (failure instanceof OutgoingError)
        log.warn({ host: failure.host, reason: failure.reason }, 'an outgoing request failed');
      throw failure;
    }
  };
}

/** Whether an address could be fetched as far as its text tells: for refusing it when it is registered. */
export function mayBeFetched(url: string, allowedHosts: readonly string[]): boolean {
  try {
    destinationOf(url, allowedHosts);
    return true;
  } catch {
    return false;
  }
}

function givenUp(signal: AbortSignal, host: string | undefined): OutgoingError {
  const isLate = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
  return new OutgoingError(isLate ? 'timeout' : 'aborted', host, { cause: signal.reason });
}

function headersFor({ headers: given, body }: OutgoingRequest): Headers {
  const headers = new Headers(given);
  for (const name of OURS) headers.delete(name);
  headers.set('accept-encoding', 'identity');
  if (!headers.get('user-agent')) headers.set('user-agent', 'Latchkey');
  if (body instanceof URLSearchParams && !headers.has('content-type'))
    headers.set('content-type', 'application/x-www-form-urlencoded');
  return headers;
}

function bytesOf(body: OutgoingRequest['body']): Uint8Array | undefined {
  return body === undefined || body instanceof Uint8Array ? body : Buffer.from(body.toString());
}
