import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress } from './address.ts';
import type { Destination } from './destination.ts';
import { OutgoingError } from './errors.ts';

/** All addresses of a name. */
export type Resolve = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

/**
 * The addresses to connect to: asked for once, and every one of them looked at. One that is not public refuses the
 * whole answer, since whoever mixes them is not mistaken.
 */
export async function addressesOf(
  { hostname, url, isExempt }: Destination,
  resolve: Resolve | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(hostname)) return [hostname];
  const ask = resolve ?? (isExempt ? systemResolve : publicResolve);
  const addresses = await abortable(ask(hostname, signal), signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new OutgoingError('unresolvable', url.host, { cause });
  });
  if (addresses.length === 0) throw new OutgoingError('unresolvable', url.host);
  if (!isExempt && !addresses.every(isPublicAddress)) throw new OutgoingError('blocked', url.host);
  return addresses;
}

/**
 * DNS and nothing else: no hosts file, no search domains. It also leaves the thread pool alone, where a slow name
 * server of a stranger would keep password hashes and signatures waiting.
 */
async function publicResolve(hostname: string, signal: AbortSignal): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  const cancel = (): void => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length === 0 && answers[0].status === 'rejected') throw answers[0].reason;
    return found;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** As this machine sees it: what the operator has listed may live in its hosts file. */
async function systemResolve(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
