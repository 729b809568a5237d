import type { AddressInfo, Server } from 'node:net';
import {
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
  type TLSSocket,
} from 'node:tls';
import { expect } from 'chai';
import { redisUrl } from '../../src/config/formats.ts';
import { connectRedis } from '../../src/storage/redis.ts';
import { untrusted } from '../http/untrusted-certificate.ts';
import { testRedisUrl } from '../support/servers.ts';

describe('connections to Redis', () => {
  const servers: Server[] = [];
  const trustedBefore = getCACertificates('default');

  const listening = async (server: Server): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    return (server.address() as AddressInfo).port;
  };
  /** A server for `localhost` that shows what it is told first by those who believe its certificate, and hangs up. */
  const listener = async (): Promise<{ port: number; told: Promise<string> }> => {
    let tell: (text: string) => void;
    const told = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const server = createTlsServer(untrusted, (socket: TLSSocket) => {
      socket.on('error', () => tell('the certificate was not believed'));
      socket.once('data', (data) => {
        tell(data.toString());
        socket.destroy();
      });
    });
    server.on('tlsClientError', () => tell('nothing that is TLS'));
    return { port: await listening(server), told };
  };
  /** A Sentinel behind TLS that knows one master. */
  const sentinelOf = (master: number): Promise<number> => {
    const answer = (command: string): string => {
      if (/get-master-addr-by-name/.test(command))
        return `*2\r\n$9\r\nlocalhost\r\n$${String(master).length}\r\n${master}\r\n`;
      return /sentinels/.test(command) ? '*0\r\n' : '+OK\r\n';
    };
    return listening(
      createTlsServer(untrusted, (socket: TLSSocket) => {
        socket.on('error', () => {});
        socket.on('data', (data) => {
          for (const command of data.toString().split(/^(?=\*)/m)) socket.write(answer(command));
        });
      }),
    );
  };

  before(() => setDefaultCACertificates([...trustedBefore, untrusted.cert]));
  after(() => {
    setDefaultCACertificates(trustedBefore);
    for (const server of servers) server.close();
  });

  it('rediss+sentinel:// speaks to the Sentinels and to the master in TLS, by the names they have', async () => {
    const master = await listener();
    const url = `rediss+sentinel://user:secret@localhost:${await sentinelOf(master.port)}/latchkey`;
    const failed = connectRedis(redisUrl.parse(url), () => {}).catch((error: unknown) => error);
    expect(await master.told).to.match(/auth\r\n\$4\r\nuser\r\n\$6\r\nsecret/i);
    expect(await failed).to.be.instanceOf(Error);
  });

  it('is connected to again where the library has given up for good', async () => {
    const redis = await connectRedis(redisUrl.parse(testRedisUrl({ database: 'given-up' })), () => {});
    try {
      await redis.run(async (client) => client.disconnect());
      const answers = () =>
        redis
          .run((client) => client.ping())
          .then(
            () => true,
            () => false,
          );
      while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      await redis.close();
    }
  });

  it('rediss+cluster:// speaks to its nodes in TLS, by the names they were given', async () => {
    const node = await listener();
    const url = `rediss+cluster://user:secret@localhost:${node.port}`;
    const failed = connectRedis(redisUrl.parse(url), () => {}).catch((error: unknown) => error);
    expect(await node.told).to.match(/auth\r\n\$4\r\nuser\r\n\$6\r\nsecret/i);
    expect(await failed).to.be.instanceOf(Error);
  });
});
