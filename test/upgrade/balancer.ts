import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export type Seen = { at: number; phase: string; by: string; what: string; status: number; ms: number };
export type Target = { name: string; port: number };

/** What stands in front of the instances: sends each request to the next one, and writes every answer down. */
export type Balancer = {
  port: number;
  history: Seen[];
  /** From now on requests go there; resolves when the others have answered what they had. */
  to(phase: string, targets: readonly Target[]): Promise<void>;
  close(): Promise<void>;
};

export async function startBalancer(port: number): Promise<Balancer> {
  const state = { targets: [] as readonly Target[], phase: 'before', turn: 0 };
  const underWay = new Map<Target, number>();
  const history: Seen[] = [];
  const server = createServer((incoming, outgoing) => {
    const target = state.targets[(state.turn += 1) % state.targets.length]!;
    const { phase } = state;
    const at = performance.now();
    underWay.set(target, (underWay.get(target) ?? 0) + 1);
    outgoing.once('close', () => {
      underWay.set(target, underWay.get(target)! - 1);
      const status = outgoing.writableFinished ? outgoing.statusCode : 499;
      const what = `${incoming.method} ${incoming.url!.split('?')[0]}`;
      history.push({ at, phase, by: target.name, what, status, ms: performance.now() - at });
    });
    pass(incoming, outgoing, target, state.turn);
  });
  server.keepAliveTimeout = 0; // closed by whoever asks, so that nobody asks on one that closes
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    history,
    async to(phase, targets) {
      Object.assign(state, { phase, targets });
      const left = (): boolean => [...underWay].some(([one, count]) => count > 0 && !targets.includes(one));
      for (const limit = Date.now() + 60_000; left() && Date.now() < limit; ) await sleep(20);
    },
    close: () => closed(server),
  };
}

/** One connection for each request: what a connection kept open would add is not what is tried here. */
function pass(incoming: IncomingMessage, outgoing: ServerResponse, { port }: Target, turn: number): void {
  const onward = request(
    {
      port,
      host: '127.0.0.1',
      agent: false,
      method: incoming.method,
      path: incoming.url,
      headers: {
        ...incoming.headers,
        connection: 'close',
        // From everywhere: one network may try only so many secrets.
        'x-forwarded-for': `10.${(turn >> 16) & 255}.${(turn >> 8) & 255}.${turn & 255}`,
      },
    },
    (answer) => {
      const { connection: _, ...headers } = answer.headers;
      outgoing.writeHead(answer.statusCode!, headers);
      answer.pipe(outgoing);
    },
  );
  onward.once('error', (error) => {
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end(String(error));
  });
  incoming.pipe(onward);
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
