import { request as httpRequest } from 'node:http';
import * as oidc from 'openid-client';
import { Agent } from './agent.ts';
import type { TestLatchkey } from './app.ts';
import type { TestClient } from './sign-in.ts';

/** TXT records as name servers would answer them. */
export class NameServers {
  readonly records = new Map<string, string[]>();
  /** Thrown instead of an answer. */
  fault: Error | undefined;

  readonly resolveTxt = async (name: string): Promise<string[][]> => {
    if (this.fault) throw this.fault;
    // In two pieces, as long records come.
    return (this.records.get(name) ?? []).map((value) => [value.slice(0, 5), value.slice(5)]);
  };

  add(name: string, value: string): void {
    this.records.set(name, [...(this.records.get(name) ?? []), value]);
  }
}

/** Claims a domain and proves it: served there from now on. */
export async function giveDomain(
  latchkey: TestLatchkey,
  names: NameServers,
  at: { appId: string; domain: string; oldIssuers?: string },
): Promise<void> {
  const path = `/apps/${at.appId}/domain`;
  const body = { domain: at.domain, ...(at.oldIssuers ? { old_issuers: at.oldIssuers } : {}) };
  const claimed = await latchkey.admin('PUT', path, body);
  const { name, value } = claimed.body.pending.verification;
  names.add(name, value);
  const verified = await latchkey.admin('POST', `${path}/verify`);
  if (verified.status !== 200) throw new Error(`${at.domain}: ${JSON.stringify(verified.body)}`);
}

/**
 * `fetch` as it is behind a proxy that ends TLS: `https://id.shop.example/…` reaches the server as plain http with that
 * Host. `extra` headers are added to each request, as a forger would.
 */
export function fetchAt(latchkey: TestLatchkey, extra: Record<string, string> = {}): typeof fetch {
  const { port } = new URL(latchkey.baseUrl);
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const sent = new Request(url, { ...init, redirect: 'manual' });
    const headers: Record<string, string> = { ...Object.fromEntries(sent.headers), host: url.host, ...extra };
    // What `Request` refuses to hold, a browser would send all the same.
    for (const [name, value] of new Headers(init.headers)) headers[name] = value;
    const body = sent.body === null ? undefined : Buffer.from(await sent.arrayBuffer());
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port, path: url.pathname + url.search, method: sent.method, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const answered = new Headers();
            for (const [name, values] of Object.entries(response.headersDistinct))
              for (const value of values ?? []) answered.append(name, value);
            const status = response.statusCode!;
            const empty = status === 204 || status === 304 || sent.method === 'HEAD';
            resolve(new Response(empty ? null : Buffer.concat(chunks), { status, headers: answered }));
          });
        },
      );
      request.once('error', reject).end(body);
    });
  };
}

export const agentAt = (latchkey: TestLatchkey, origin: string, extra?: Record<string, string>): Agent =>
  new Agent(origin, {}, fetchAt(latchkey, extra));

/** An openid-client that found the issuer of a domain by itself. */
export async function discoverAt(
  latchkey: TestLatchkey,
  client: TestClient,
  issuer: string,
): Promise<oidc.Configuration> {
  const customFetch = fetchAt(latchkey);
  const configuration = await oidc.discovery(new URL(issuer), client.clientId, client.secret, undefined, {
    [oidc.customFetch]: customFetch as oidc.CustomFetch,
    execute: [oidc.allowInsecureRequests],
  });
  configuration[oidc.customFetch] = customFetch as oidc.CustomFetch;
  return configuration;
}
