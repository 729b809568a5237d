import {
  Agent as Pool,
  createServer,
  request,
  type IncomingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answered = { status: number; headers: IncomingHttpHeaders; body: string };
/** One POST, and what came of it when it was sent twice. */
export type Repeated = { path: string; body: string; first: Answered; second: Answered };

export type Balancer = {
  readonly port: number;
  /** The ports of the instances that requests go to, in turn. */
  setTargets(ports: readonly number[]): void;
  /** How often an instance did not take a connection and another was asked. */
  readonly turnedAway: number;
  /** How often an instance took a request and never answered it. */
  readonly lost: number;
  /** From now on every POST is sent twice, to two instances; the client gets the first answer. undefined: once. */
  repeatTo(listener: ((repeated: Repeated) => void) | undefined): void;
  stop(): Promise<void>;
};

/** The header that says who answered; `none` and `lost` are the balancer's own 502. */
export const SERVED_BY = 'x-drill-served-by';

type Asked = { method: string; url: string; headers: IncomingHttpHeaders; body: Buffer };

/**
 * What nginx does by default: one connection for each request, the next instance where one takes no connection, and no
 * second try once a request was sent. Everything it needs is in this file.
 */
export async function startBalancer(): Promise<Balancer> {
  let targets: readonly number[] = [];
  let turn = 0;
  let listener: ((repeated: Repeated) => void) | undefined;
  const counts = { turnedAway: 0, lost: 0 };
  const pool = new Pool({ keepAlive: false });

  const ask = async (asked: Asked, first: number): Promise<Answered & { by: string }> => {
    for (let i = 0; i < targets.length; i += 1) {
      const port = targets[(first + i) % targets.length]!;
      try {
        return { ...(await send(pool, port, asked)), by: String(port) };
      } catch (error) {
        if ((error as { wasSent?: boolean }).wasSent) {
          counts.lost += 1;
          return { status: 502, headers: {}, body: '', by: 'lost' };
        }
        counts.turnedAway += 1;
      }
    }
    return { status: 502, headers: {}, body: '', by: 'none' };
  };

  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('error', () => {});
    incoming.on('end', () => {
      const { method = 'GET', url = '/', headers } = incoming;
      const asked = { method, url, headers, body: Buffer.concat(parts) };
      const first = (turn += 1);
      const repeats = method === 'POST' ? listener : undefined;
      void ask(asked, first).then(async (answer) => {
        if (repeats) {
          const second = await ask(asked, first + 1);
          repeats({ path: url, body: asked.body.toString(), first: answer, second });
        }
        give(response, answer);
      });
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    setTargets(ports) {
      targets = ports;
    },
    get turnedAway() {
      return counts.turnedAway;
    },
    get lost() {
      return counts.lost;
    },
    repeatTo(next) {
      listener = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function give(response: ServerResponse, { status, headers, body, by }: Answered & { by: string }): void {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...passed } = headers;
  response.on('error', () => {});
  response.writeHead(status, {
    ...passed,
    'content-length': Buffer.byteLength(body, 'latin1'),
    [SERVED_BY]: by,
  });
  response.end(body, 'latin1');
}

/** Rejects with `wasSent` false only where the instance took no connection, so that another may be asked. */
function send(pool: Pool, port: number, { method, url, headers, body }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const fail = (error: Error): void => reject(Object.assign(error, { wasSent: isConnected }));
    const { connection: _, 'transfer-encoding': __, ...passed } = headers;
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: url,
        agent: pool,
        headers: { ...passed, connection: 'close', 'content-length': body.length },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', fail);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode!,
            headers: answer.headers,
            body: Buffer.concat(parts).toString('latin1'),
          }),
        );
      },
    );
    outgoing.on('socket', (socket) =>
      socket.once('connect', () => {
        isConnected = true;
      }),
    );
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}
