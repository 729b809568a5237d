import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect } from 'chai';
import { drain } from '../../src/http/drain.ts';

describe('a server that is told to stop', () => {
  let server: Server;
  let port: number;
  let finish: (() => void)[] = [];
  beforeEach(async () => {
    finish = [];
    server = createServer((request, response) => {
      if (request.url === '/slow') finish.push(() => response.end('slow'));
      else response.end('quick');
    });
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => server.closeAllConnections());

  /** A connection as a proxy keeps one. */
  const open = () => {
    const socket = connect(port, '127.0.0.1');
    let said = '';
    const waiting = new Set<() => void>();
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (piece) => {
      said += piece.toString();
      for (const look of waiting) look();
    });
    return {
      closed,
      ask: (path: string): void => void socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`),
      hears: (text: string): Promise<string> =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (said.includes(text)) resolve(said);
          };
          waiting.add(look);
          void closed.then(() => reject(new Error(`closed after: ${said}`)));
          look();
        }),
    };
  };

  it('answers what comes on a connection that a proxy keeps, and says that it was the last', async () => {
    const kept = open();
    kept.ask('/');
    await kept.hears('quick');
    const drained = drain(server, { idleMs: 600_000 });
    // On its way while the server stops.
    kept.ask('/slow');
    while (finish.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    finish[0]!();
    expect(await kept.hears('slow')).to.match(/connection: close/i);
    await kept.closed;
    await drained;
  });

  it('closes a connection that nobody uses, takes no new one and finishes what was begun', async () => {
    const [idle, busy] = [open(), open()];
    idle.ask('/');
    busy.ask('/slow');
    await idle.hears('quick');
    while (finish.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const drained = drain(server);
    await idle.closed;
    const late = open();
    late.ask('/');
    await late.closed;
    finish[0]!();
    await busy.hears('slow');
    await drained;
  });

  it('cuts whoever does not come to an end in time', async () => {
    const stuck = open();
    stuck.ask('/slow');
    while (finish.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await drain(server, { limitMs: 50 });
    await stuck.closed;
  });
});
