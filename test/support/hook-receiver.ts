import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Asked = { headers: IncomingHttpHeaders; text: string; body: any };
type Answer = (response: ServerResponse, asked: Asked) => void;

export type HookReceiver = {
  url: string;
  asked: Asked[];
  /** What it says from now on. */
  say(answer: unknown): void;
  act(answer: Answer): void;
  stop(): void;
};

/** An app's token hook on loopback; allows everything until it is told otherwise. */
export async function startHookReceiver(): Promise<HookReceiver> {
  const asked: Asked[] = [];
  const saying =
    (answer: unknown): Answer =>
    (response) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  let answer = saying({ allow: true });
  const listener: RequestListener = (request, response) => {
    let text = '';
    response.on('error', () => {});
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      const one = { headers: request.headers, text, body: JSON.parse(text) };
      asked.push(one);
      answer(response, one);
    });
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    asked,
    say(next) {
      answer = saying(next);
    },
    act(next) {
      answer = next;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** How many of the signatures fit the secret (Standard Webhooks, written down once more). */
export function signaturesBy(secret: string, { headers, text }: Asked): number {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const message = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`;
  const expected = Buffer.from(createHmac('sha256', key).update(message).digest('base64'));
  return String(headers['webhook-signature'])
    .split(' ')
    .map((signature) => Buffer.from(signature.replace(/^v1,/, '')))
    .filter((given) => given.length === expected.length && timingSafeEqual(given, expected)).length;
}
