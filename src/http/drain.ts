import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

const DRAIN_LIMIT_MS = 25_000;
const IDLE_LIMIT_MS = 1000;

/**
 * Takes no new connections, and finishes what is on those there are. Each answer from now on is the last of its
 * connection and says so: a proxy that keeps connections sends its next request elsewhere, and none into one that is
 * being closed. Connections that nobody uses for a while are closed.
 */
export async function drain(
  server: Server,
  { limitMs = DRAIN_LIMIT_MS, idleMs = IDLE_LIMIT_MS } = {},
): Promise<void> {
  server.prependListener('request', (_request: unknown, response: ServerResponse) => {
    response.setHeader('connection', 'close');
  });
  await quietMoment();
  // Not that of http, which would cut idle connections at once, and with them requests that are on their way.
  const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
  const idle = setInterval(() => server.closeIdleConnections(), idleMs);
  const limit = setTimeout(() => server.closeAllConnections(), limitMs);
  await closed;
  clearInterval(idle);
  clearTimeout(limit);
}

const QUIET_MS = 0.5;
const QUIET_LIMIT_MS = 500;

/**
 * What the kernel has taken is ours to answer, and is reset if the door is shut before it was read. Each turn of the loop
 * reads all there is; the door is shut after one in which there was nothing.
 */
async function quietMoment(): Promise<void> {
  const limit = performance.now() + QUIET_LIMIT_MS;
  for (let quiet = 0; quiet < 2 && performance.now() < limit; ) {
    const begun = performance.now();
    await turn();
    quiet = performance.now() - begun < QUIET_MS ? quiet + 1 : 0;
  }
}
