import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestLatchkey } from '../support/app.ts';
import { issuerOf } from '../support/sign-in.ts';
import { connect, type Departure, type Library, type LibraryName, type Tokens } from './oidc-libraries.ts';

export type IssuerKind = 'own' | 'shared';

/** One person's way through the app: how it ended is told by the page they are on, and found here by its id. */
export type Visit = { library: Library; departure?: Departure; tokens?: Tokens; error?: string };

/**
 * A small web app of its own, on another port, that knows nothing of Latchkey but an issuer, a client id and a
 * secret. `GET /login?at=…&with=…` sends a browser to sign in; other parameters go into the request.
 */
export class RelyingParty {
  readonly appId: string;
  readonly #latchkey: TestLatchkey;
  readonly #server: Server;
  readonly #visits = new Map<string, Visit>();
  readonly #libraries = new Map<string, Promise<Library>>();
  #secret = '';

  private constructor(latchkey: TestLatchkey, appId: string) {
    this.#latchkey = latchkey;
    this.appId = appId;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  /** Listens, and registers itself as app `appId`. */
  static async start(
    latchkey: TestLatchkey,
    appId: string,
    more: Record<string, unknown> = {},
  ): Promise<RelyingParty> {
    const party = new RelyingParty(latchkey, appId);
    await new Promise<void>((resolve) => party.#server.listen(0, '127.0.0.1', resolve));
    const created = await latchkey.admin('POST', '/apps', {
      app_id: appId,
      name: `The ${appId} app`,
      type: 'web',
      redirect_uris: [party.redirectUri],
      post_logout_redirect_uris: [party.signedOutUrl],
      ...more,
    });
    if (created.status !== 201)
      throw new Error(`app ${appId}: ${created.status} ${JSON.stringify(created.body)}`);
    party.#secret = created.body.client_secret;
    return party;
  }

  get origin(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get redirectUri(): string {
    return `${this.origin}/callback`;
  }

  get signedOutUrl(): string {
    return `${this.origin}/signed-out`;
  }

  get secret(): string {
    return this.#secret;
  }

  loginUrl(at: IssuerKind, parameters: Record<string, string> = {}): string {
    return `${this.origin}/login?${new URLSearchParams({ at, ...parameters })}`;
  }

  /** The visit whose last page has this address. */
  visitAt(url: string): Visit {
    const id = new URL(url).pathname.split('/')[2] ?? '';
    const visit = this.#visits.get(id);
    if (!url.startsWith(this.origin) || !visit) throw new Error(`no visit of ${this.appId} ends at ${url}`);
    return visit;
  }

  library(at: IssuerKind, name: LibraryName): Promise<Library> {
    const key = `${at} ${name}`;
    const issuer = issuerOf(this.#latchkey, this.appId, at);
    const registration = {
      issuer,
      clientId: this.appId,
      secret: this.#secret,
      redirectUri: this.redirectUri,
    };
    if (!this.#libraries.has(key)) this.#libraries.set(key, connect(name, registration));
    return this.#libraries.get(key)!;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.origin);
    const goTo = (location: string): unknown => response.writeHead(303, { location }).end();
    if (url.pathname === '/login') return void goTo(await this.#depart(url.searchParams, response));
    if (url.pathname === '/callback') return void goTo(await this.#arrive(url, request));
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<!doctype html><title>${this.appId}</title><h1>${url.pathname}</h1>`);
  }

  async #depart(query: URLSearchParams, response: ServerResponse): Promise<string> {
    const { at, with: name, ...parameters } = Object.fromEntries(query);
    const library = await this.library(at as IssuerKind, (name ?? 'openid-client') as LibraryName);
    const departure = await library.depart(parameters);
    const id = randomUUID();
    this.#visits.set(id, { library, departure });
    // Cookies know no ports: the name keeps the apps of one test apart.
    response.setHeader('set-cookie', `rp_${this.appId}=${id}; Path=/; HttpOnly; SameSite=Lax`);
    return departure.url.href;
  }

  async #arrive(url: URL, request: IncomingMessage): Promise<string> {
    const id = new RegExp(`rp_${this.appId}=([0-9a-f-]+)`).exec(request.headers.cookie ?? '')?.[1] ?? '';
    const visit = this.#visits.get(id);
    if (!visit?.departure) return '/stranger';
    try {
      visit.tokens = await visit.library.arrive(url, visit.departure);
      return `/signed-in/${id}`;
    } catch (error) {
      visit.error = (error as { error?: string }).error ?? String(error);
      return `/refused/${id}`;
    }
  }
}
