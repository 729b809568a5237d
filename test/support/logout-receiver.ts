import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';

export type Received = {
  path: string;
  method: string;
  headers: IncomingHttpHeaders;
  form: URLSearchParams;
  token: string;
  claims: JWTPayload;
  header: Record<string, unknown>;
};

export type LogoutReceiver = {
  /** `host:port`, for OUTBOUND_ALLOWED_HOSTS. */
  host: string;
  uri(path?: string): string;
  received: Received[];
  /** Statuses to answer with, one request each; 200 when there are none left. */
  answers: number[];
  /** Waits for so many in all. */
  wait(count: number): Promise<Received[]>;
  stop(): Promise<void>;
};

/** A client's server that is told of sign-outs. */
export async function startLogoutReceiver(): Promise<LogoutReceiver> {
  const received: Received[] = [];
  const answers: number[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(parts).toString());
      const token = form.get('logout_token') ?? '';
      const readable = token.split('.').length === 3;
      received.push({
        path: request.url ?? '',
        method: request.method ?? '',
        headers: request.headers,
        form,
        token,
        claims: readable ? decodeJwt(token) : {},
        header: readable ? { ...decodeProtectedHeader(token) } : {},
      });
      const status = answers.shift() ?? 200;
      response.writeHead(status, status === 302 ? { location: 'http://localhost:1/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    uri: (path = '/backchannel') => `http://${host}${path}`,
    received,
    answers,
    async wait(count) {
      for (const deadline = Date.now() + 30_000; received.length < count; ) {
        if (Date.now() > deadline) throw new Error(`only ${received.length} of ${count} logout tokens came`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return received;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
