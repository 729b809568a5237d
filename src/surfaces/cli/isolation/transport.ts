import { type IncomingHttpHeaders, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { text as textOf } from 'node:stream/consumers';

/** A request as an attacker writes it: nothing is added to it. */
export type Sent = {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string | undefined;
};

export type Received = { status: number; headers: Headers; text: string };
export type Transport = (request: Sent, signal: AbortSignal) => Promise<Received>;

/** To the address in the request. */
export const directly: Transport = async ({ url, ...rest }, signal) => {
  const { body } = rest;
  const response = await fetch(url, {
    ...rest,
    body: body ?? null,
    redirect: 'manual',
    signal,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
};

/** To where the server listens, as a proxy in front of it would pass the request on: with the Host of its public address. */
export function through(address: string): Transport {
  const { protocol, hostname, port } = new URL(address);
  const request = protocol === 'https:' ? overHttps : overHttp;
  return ({ url, method, headers, body }, signal) =>
    new Promise((resolve, reject) => {
      const { host, pathname, search } = new URL(url);
      const asked = request({
        hostname: hostname.replace(/^\[|\]$/g, ''),
        port,
        method,
        path: pathname + search,
        headers: { ...headers, host, 'content-length': Buffer.byteLength(body ?? '') },
        signal,
      });
      asked.once('error', reject);
      asked.once('response', (response) => {
        textOf(response).then(
          (text) => resolve({ status: response.statusCode ?? 0, headers: headersOf(response.headers), text }),
          reject,
        );
      });
      asked.end(body);
    });
}

function headersOf(received: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(received))
    for (const value of [values ?? []].flat()) headers.append(name, value);
  return headers;
}
