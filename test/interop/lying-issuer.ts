import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An issuer that is none. About the issuer: its metadata is sound and names itself, but every endpoint and key is that of
 * the real one, so what comes back was signed by another issuer than the configured one (OIDC Core §3.1.3.7, RFC 9207).
 * About the nonce: it slips another one into the request, as one would who plants an ID token that was made elsewhere.
 */
export async function startLyingIssuer(
  real: string,
  about: 'issuer' | 'nonce',
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(request.url ?? '/').then(
      ({ status, location, body }) => {
        response.writeHead(status, {
          ...(location ? { location } : {}),
          'content-type': 'application/json',
          'access-control-allow-origin': '*',
        });
        response.end(body);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;

  async function answer(path: string): Promise<{ status: number; location?: string; body?: string }> {
    if (about === 'nonce' && path.startsWith('/authorize')) {
      const target = new URL(real + path);
      target.searchParams.set('nonce', 'another-nonce');
      return { status: 302, location: target.href };
    }
    // 307 keeps method and body: for a library without discovery, which asks here for everything.
    if (!path.startsWith('/.well-known/openid-configuration')) return { status: 307, location: real + path };
    const metadata = await (await fetch(`${real}/.well-known/openid-configuration`)).json();
    const lies = about === 'nonce' ? { authorization_endpoint: `${url}/authorize` } : { issuer: url };
    return { status: 200, body: JSON.stringify({ ...(metadata as object), ...lies }) };
  }

  return {
    url,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
