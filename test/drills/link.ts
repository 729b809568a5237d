import { createServer, connect, type AddressInfo, Socket } from 'node:net';

/** What a connection through it meets. */
type Weather = {
  /** Milliseconds that every piece waits, in each direction, and how much more at most. */
  delayMs: number;
  jitterMs: number;
  /** New connections are reset. */
  isRefusing: boolean;
  /** What is sent disappears, in both directions; nobody is told (half-open, as behind a firewall that forgot). */
  isBlackHole: boolean;
};

export type Link = {
  readonly port: number;
  /** Where new connections lead. */
  pointTo(port: number): void;
  set(weather: Partial<Weather>): void;
  /** Resets the connections there are (RST). The share of them: 1 is all. */
  reset(share?: number): void;
  heal(): void;
  readonly open: number;
  stop(): Promise<void>;
};

const CALM: Weather = { delayMs: 0, jitterMs: 0, isRefusing: false, isBlackHole: false };

/** A TCP proxy in front of a store, which can be delayed, cut, reset and made to swallow everything. */
export async function startLink(target: number): Promise<Link> {
  let port = target;
  let weather = CALM;
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer({ noDelay: true }, (client) => {
    if (weather.isRefusing) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    // In a black hole nobody gets as far as the store, and it keeps no place for them.
    const store = weather.isBlackHole ? new Socket() : connect({ port, host: '127.0.0.1', noDelay: true });
    const pair = [client, store] as const;
    pairs.add(pair);
    carry(client, store, () => weather);
    carry(store, client, () => weather);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        // Nobody hears of an end in a black hole.
        if (!weather.isBlackHole) for (const end of pair) end.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reset = (share = 1): void => {
    for (const pair of [...pairs].slice(0, Math.ceil(pairs.size * share)))
      for (const socket of pair) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    pointTo(next) {
      port = next;
    },
    set(change) {
      weather = { ...weather, ...change };
    },
    reset,
    heal() {
      const wasBlackHole = weather.isBlackHole;
      weather = CALM;
      // What was swallowed is gone, and these connections can not go on without it.
      if (wasBlackHole) reset();
    },
    get open() {
      return pairs.size;
    },
    stop: () =>
      new Promise((resolve) => {
        reset();
        server.close(() => resolve());
      }),
  };
}

/** In order, whatever the delay: timers of different lengths that end at once come in any order. */
function carry(from: Socket, to: Socket, weather: () => Weather): void {
  const waiting: { at: number; piece: Buffer }[] = [];
  const pass = (): void => {
    while (waiting.length > 0 && waiting[0]!.at <= performance.now()) {
      const { piece } = waiting.shift()!;
      if (!to.destroyed) to.write(piece);
    }
    if (waiting.length > 0) setTimeout(pass, Math.max(1, waiting[0]!.at - performance.now()));
  };
  from.on('data', (piece: Buffer) => {
    const { delayMs, jitterMs, isBlackHole } = weather();
    if (isBlackHole) return;
    const isFirst = waiting.length === 0;
    waiting.push({ at: performance.now() + delayMs + Math.random() * jitterMs, piece });
    if (isFirst) pass();
  });
}
