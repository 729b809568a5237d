import type { Context, Middleware } from 'koa';
import { type AppSnapshot, siteOf } from '../apps/app.ts';
import type { AppRegistry } from '../apps/registry.ts';
import { isAppId } from '../apps/registry.ts';
import { rawBody } from '../http/bodies.ts';
import { answerWith } from '../http/errors.ts';
import type { Admission } from '../http/admission/admission.ts';
import type { HttpDeps } from '../http/http-deps.ts';
import { rememberState, stateOf } from '../http/request-state.ts';
import { answering } from '../http/route-table.ts';
import { unsupportedMediaType } from '../http/refusals.ts';
import { Problem } from '../kernel/problem.ts';
import type { RootKeys } from '../kernel/secret.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';
import { jwtAlias } from './adapters/access-token-adapter.ts';
import { admitBeginning } from './beginnings.ts';
import { appsOfSessionCookies, narrowCookies, sessionCookieName } from './cookies.ts';
import type { MutualTls } from './client-authentication.ts';
import type { DirectAnswers } from './direct/direct.ts';
import { onlyTheCode, rememberTypedCode, withoutCode } from './device/narrowed-code.ts';
import { neutralDevicePage } from './device/neutral-page.ts';
import { sharedDiscovery, sharedKeys } from './discovery.ts';
import { repeatByGet } from './features/authorize-by-post.ts';
import { findApp, type FoundApp } from './find-app.ts';
import { type IssuerKind, issuerUrl, protocolRoutes } from './issuers.ts';
import { DISCOVERY, doorTable, isProtocolPath } from './protocol-paths.ts';
import { keepsAlive, serviceAt } from './served.ts';
import { narrowedRequest } from './narrowed-request.ts';
import type { Newcomers } from './newcomers.ts';
import type { ProtocolPages } from './pages.ts';
import { withResourceMetadata } from './protected-resources.ts';
import type { ProviderSource } from './provider-cache.ts';

export type DoorsDeps = Pick<HttpDeps, 'views' | 'log'> & {
  baseUrl: string;
  jwksMaxAge: number;
  registry: AppRegistry;
  providers: ProviderSource;
  pages: ProtocolPages;
  mtls: MutualTls;
  direct: DirectAnswers;
  newcomers: Newcomers;
  admission: Admission;
  ephemeral: EphemeralStore;
  rootKeys: RootKeys;
};

const FRONT_CHANNEL = /^\/(authorize|device|logout)(\/|$)/;
/** All endpoints of the standards, at both issuers: finds the app, then hands its provider a request of its own. */
export function protocolDoors(deps: DoorsDeps): Middleware {
  return answering(async (ctx, next) => {
    const door = doorOf(ctx.path);
    if (!door) return next();
    stateOf(ctx).route =
      door.appId === undefined
        ? door.path.replace(/^\/(authorize|device)\/.+/, '/$1/:uid')
        : `/auth/:app_id${door.path.replace(/^\/(authorize|device)\/.+/, '/$1/:uid')}`;
    if (ctx.method === 'OPTIONS') return preflight(ctx);
    try {
      const site = stateOf(ctx).site;
      if (site?.appId !== undefined) await serveAtDomain(ctx, deps, door.path);
      else if (door.appId !== undefined)
        await serve(ctx, deps, { ...door, issuer: 'own', found: { appId: door.appId } });
      else if (DISCOVERY.includes(door.path)) await sharedDiscovery(ctx, deps);
      else if (door.path === protocolRoutes.jwks) await sharedKeys(ctx, deps);
      else await serveShared(ctx, deps, door.path);
    } catch (error) {
      refuseRequest(ctx, deps, door.path, error);
    }
  }, doorTable());
}

/** `/auth/{app_id}/token` → own issuer; `/token` → shared issuer; RFC 8414 §3 puts the well-known part first. */
function doorOf(path: string): { appId: string | undefined; path: string } | undefined {
  if (isProtocolPath(path)) return { appId: undefined, path };
  const inserted =
    /^(\/\.well-known\/(?:openid-configuration|oauth-authorization-server))\/auth\/([^/]+)$/.exec(path);
  if (inserted) return { path: inserted[1]!, appId: inserted[2]! };
  const own = /^\/auth\/([^/]+)(\/.*)$/.exec(path);
  return own && isProtocolPath(own[2]!) ? { appId: own[1]!, path: own[2]! } : undefined;
}

/** At the domain of an app there is one issuer and one app, whatever else the request names. */
async function serveAtDomain(ctx: Context, deps: DoorsDeps, path: string): Promise<void> {
  const { origin, appId } = stateOf(ctx).site!;
  await serve(ctx, deps, { path, issuer: origin as IssuerKind, found: { appId: appId! } });
}

async function serveShared(ctx: Context, deps: DoorsDeps, path: string): Promise<void> {
  const query = new URLSearchParams(ctx.querystring);
  const form = formIn(await formText(ctx));
  const found = await findApp(
    {
      path,
      query,
      form,
      authorization: ctx.get('authorization') || undefined,
      cookies: ctx.get('cookie') || undefined,
    },
    deps.registry,
  );
  const nobodyNamed = !query.has('id_token_hint') && !query.has('client_id');
  if (!found && path === protocolRoutes.end_session && ctx.method === 'GET' && nobodyNamed)
    return listSignedIn(ctx, deps);
  if (!found && path === protocolRoutes.code_verification && /^(GET|HEAD|POST)$/.test(ctx.method))
    return neutralDevicePage(ctx, deps, query.get('user_code') ?? form?.get('user_code') ?? null);
  await serve(ctx, deps, { path, issuer: 'shared', found });
}

type Visit = { path: string; issuer: IssuerKind; found: FoundApp };

async function serve(ctx: Context, deps: DoorsDeps, visit: Visit): Promise<void> {
  const body = await formText(ctx);
  if (visit.found === 'mixed') return refuseUnfound(ctx, deps, { ...visit, error: 'invalid_request' });
  const find = () => findProvider(deps, visit);
  let source = await find();
  if (source) {
    admitBeginning(ctx, deps, { ...visit, app: source.snapshot.app });
    if (await deps.direct(ctx, { ...visit, body, source })) return;
  }
  if (source && (await deps.newcomers(ctx, { ...visit, body, snapshot: source.snapshot })))
    source = await find();
  if (!source || !visit.found) return refuseUnfound(ctx, deps, visit);
  if (source.service === 'what_began' && !keepsAlive(visit.path)) return refuseUnfound(ctx, deps, visit);
  const { appId } = visit.found;
  stateOf(ctx).startUrl = siteOf(source.snapshot);
  const issuer = issuerUrl(deps.baseUrl, appId, visit.issuer);
  if (body !== undefined && mayPost(visit.path, source.snapshot))
    return repeatByGet(ctx, issuer + visit.path, body);
  const query = withoutCode(visit.path, ctx.querystring);
  const request = narrowedRequest({
    original: ctx.req,
    issuerUrl: issuer,
    path: query ? `${visit.path}?${query}` : visit.path,
    cookies: narrowCookies(ctx.get('cookie') || undefined, {
      session: sessionCookieName(issuer, appId),
      appId,
      uid: /^\/(?:authorize|device)\/(.+)$/.exec(visit.path)?.[1],
    }),
    body: body === undefined ? undefined : onlyTheCode(visit.path, withAliasedToken(visit.path, body)),
  });
  if (visit.path === protocolRoutes.code_verification) {
    const typed = ctx.method === 'POST' ? body : ctx.querystring;
    rememberTypedCode(request, new URLSearchParams(typed).get('user_code'));
  }
  rememberState({ req: request, state: ctx.state } as Context);
  ctx.respond = false;
  // The default of the outer server; the provider sets its own.
  ctx.res.statusCode = 404;
  await source.build().answer(request, ctx.res);
}

/** Requests that a browser brings. To sign out by POST every client may ask (RP-Initiated Logout 1.0 §2); a page asks the person. */
const mayPost = (path: string, { app }: AppSnapshot): boolean =>
  path === protocolRoutes.end_session ||
  (path === protocolRoutes.authorization && app.settings.features.authorize_by_post);

async function findProvider(
  { providers }: DoorsDeps,
  { found, path, issuer }: Visit,
): ReturnType<ProviderSource['find']> {
  if (!found || found === 'mixed' || !isAppId(found.appId)) return undefined;
  return providers[path.startsWith('/.well-known/') ? 'findForPublishing' : 'find'](found.appId, issuer);
}

/** The urlencoded body of a POST; undefined without one. Oversized and foreign bodies never reach the library. */
async function formText(ctx: Context): Promise<string | undefined> {
  if (ctx.method !== 'POST') return undefined;
  const hasBody = Number(ctx.get('content-length')) > 0 || ctx.get('transfer-encoding') !== '';
  if (!hasBody) return undefined;
  if (ctx.get('content-type') !== FORM && !ctx.request.is(FORM)) throw unsupportedMediaType(FORM);
  return rawBody(ctx);
}

const FORM = 'application/x-www-form-urlencoded';

const formIn = (body: string | undefined): URLSearchParams | undefined =>
  body === undefined ? undefined : new URLSearchParams(body);

/** JWT access tokens at introspection and revocation, see access-token-adapter.ts. */
function withAliasedToken(path: string, body: string): string {
  if (path !== protocolRoutes.introspection && path !== protocolRoutes.revocation) return body;
  const form = new URLSearchParams(body);
  const tokens = form.getAll('token');
  if (tokens.length !== 1 || tokens[0]!.split('.').length !== 3) return body;
  form.set('token', jwtAlias + tokens[0]!);
  return form.toString();
}

/** RFC 6749 §5.2, RFC 6750 §3.1, or a plain page: the same for unknown, disabled and absent apps. */
function refuseUnfound(
  ctx: Context,
  deps: DoorsDeps,
  { path, issuer, found, error }: Visit & { error?: string },
): void {
  if (
    FRONT_CHANNEL.test(path) ||
    (issuer !== 'shared' && ctx.method === 'GET' && path !== protocolRoutes.userinfo)
  ) {
    const status = issuer !== 'shared' ? 404 : 400;
    if (status === 404)
      return answerWith(
        ctx,
        deps,
        new Problem({ code: 'request.not_found', kind: 'not_found', message: 'There is nothing here.' }),
      );
    return deps.pages.problem(ctx, { app: undefined, error: 'invalid_request', status });
  }
  ctx.set('cache-control', 'no-store');
  if (error === 'invalid_request') {
    ctx.status = 400;
    ctx.body = { error, error_description: 'the request names more than one client' };
  } else if (path === protocolRoutes.userinfo) {
    ctx.status = 401;
    const at = issuerUrl(deps.baseUrl, found && found !== 'mixed' ? found.appId : '', issuer);
    ctx.set('www-authenticate', withResourceMetadata('Bearer error="invalid_token"', at));
    ctx.body = { error: 'invalid_token', error_description: 'invalid token provided' };
  } else {
    ctx.status = 401;
    if (ctx.get('authorization')) ctx.set('www-authenticate', 'Basic realm="oauth"');
    ctx.body = { error: 'invalid_client', error_description: 'client authentication failed' };
  }
}

/** What is refused before the library sees it: pages for people, OAuth errors for clients. */
function refuseRequest(ctx: Context, deps: DoorsDeps, path: string, error: unknown): void {
  if (!(error instanceof Problem) || FRONT_CHANNEL.test(path)) return answerWith(ctx, deps, error);
  ctx.respond = true;
  ctx.status = error.status;
  ctx.set('cache-control', 'no-store');
  if (error.retryAfterSeconds !== undefined) ctx.set('retry-after', String(error.retryAfterSeconds));
  const away = error.kind === 'unavailable';
  if (away) deps.log.warn({ err: error.cause, request_id: stateOf(ctx).requestId }, 'a store is away');
  ctx.body = {
    error: away ? 'temporarily_unavailable' : 'invalid_request',
    error_description: error.message,
  };
}

/** Any origin, without credentials: whether it is allowed is judged on the real request, where the client is known. */
function preflight(ctx: Context): void {
  ctx.status = 204;
  ctx.set('access-control-allow-origin', ctx.get('origin') || '*');
  ctx.set('access-control-allow-methods', 'GET, POST');
  ctx.set(
    'access-control-allow-headers',
    ctx.get('access-control-request-headers') || 'authorization, content-type',
  );
  ctx.set('access-control-max-age', '3600');
  ctx.vary('origin');
}

/** Nobody said which app: the ones this browser holds session cookies of, each with its own sign-out. */
async function listSignedIn(ctx: Context, deps: DoorsDeps): Promise<void> {
  const apps = [];
  for (const appId of appsOfSessionCookies(ctx.get('cookie'), deps.baseUrl).filter(isAppId).slice(0, 50)) {
    const snapshot = await deps.registry.snapshot(appId);
    if (snapshot && serviceAt(deps.baseUrl, snapshot, 'own') !== 'nothing')
      apps.push({
        app_id: appId,
        name: snapshot.app.name,
        action: `${issuerUrl(deps.baseUrl, appId, 'own')}${protocolRoutes.end_session}`,
      });
  }
  deps.pages.signOutList(ctx, apps);
}
