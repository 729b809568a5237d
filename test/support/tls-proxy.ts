import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { untrusted } from '../http/untrusted-certificate.ts';

/** What stands in front of Latchkey in production: ends TLS and passes `Host` on. Its certificate convinces nobody. */
export async function startTlsProxy(behind: string): Promise<{ address: string; stop(): Promise<void> }> {
  const { port } = new URL(behind);
  const server = createServer(untrusted, (incoming, outgoing) => {
    const { method, headers, url: path } = incoming;
    const passed = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    passed.once('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
