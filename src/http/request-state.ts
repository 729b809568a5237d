import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import type { PageApp } from './views.ts';

/** Binds forms to the browser they were shown in. */
export type Csrf = {
  tokenFor(ctx: Context, scope: string): string;
  require(ctx: Context, scope: string, submitted: string | undefined): void;
};

/** The certificate of a mutual TLS connection that ended at a trusted proxy. */
export type ClientCertificate = {
  certificate: X509Certificate;
  /** The proxy checked it against its certificate authorities. Self-signed ones never are. */
  verified: boolean;
};

/** Where a request arrived, in the words of the configuration, never of its headers. */
export type Site = {
  /** Of the pages there, without a closing slash. */
  origin: string;
  /** The one app that is served there. undefined: the deployment's own address. */
  appId: string | undefined;
};

/** What the middleware of this folder knows of a request; the same object as `ctx.state` of the outer Koa. */
export type RequestState = {
  requestId: string;
  /** The client, behind trusted proxies. */
  clientAddress: string;
  /** Whether a proxy named in TRUSTED_PROXIES brought it. */
  isThroughProxy: boolean;
  /** What it brought, once that was asked for. */
  body?: Promise<string> | undefined;
  /** Of a mutual TLS connection, from a trusted proxy alone. */
  clientCertificate?: ClientCertificate | undefined;
  /** For inline styles and scripts of this answer, see nonceOf(); only pages have one. */
  nonce?: string | undefined;
  /** Origins (`https://a.example`) or schemes (`com.example.app:`) that forms of this page may lead to, beside our own. */
  formActions: string[];
  csrf: Csrf;
  /** The app whose name and colour the page bears. */
  app?: PageApp | undefined;
  /** `ui_locales` of the authorization request. */
  uiLocales?: string | undefined;
  /** Of the person whom the page is for (IANA); UTC where it is not set. */
  timeZone?: string | undefined;
  /** Scope of the form token that a page gets which brings none in its model. */
  csrfScope?: string | undefined;
  /** The pattern of the route, for metrics: set it where no router does. */
  route?: string | undefined;
  /** Set when the answer brings a Content-Security-Policy of its own. */
  ownPolicy?: boolean | undefined;
  /** Where the request arrived; set for everything but health checks. */
  site?: Site | undefined;
  /** Where "start again" leads on error pages. */
  startUrl?: string | undefined;
};

/** On the request itself: a map with as many entries as there are requests is dear to whoever collects them. */
const STATE = Symbol('state');
type Known = IncomingMessage & { [STATE]?: RequestState };

export function rememberState(ctx: Context): void {
  (ctx.req as Known)[STATE] = ctx.state as RequestState;
}

/** The state of the request, also from a context that another Koa made for the same request (the protocol library's). */
export function stateOf(ctx: { req: IncomingMessage }): RequestState {
  const state = (ctx.req as Known)[STATE];
  if (!state) throw new Error('the request did not pass the outer middleware');
  return state;
}
