import type { Context, Middleware } from 'koa';
import { isAppId, type AppRegistry } from '../apps/registry.ts';
import type { DomainLookup } from '../apps/domains/lookup.ts';
import { originOfDomain } from '../apps/domains/domain-name.ts';
import type { Config } from '../config/config.ts';
import { isLoopbackHost } from '../config/loopback.ts';
import { hostnameOf } from '../http/host-header.ts';
import type { HttpDeps } from '../http/http-deps.ts';
import { answering } from '../http/route-table.ts';
import { notFound } from '../http/refusals.ts';
import { type Site, stateOf } from '../http/request-state.ts';
import { isProtocolPath } from './protocol-paths.ts';
import { pageAppOf } from './page-app.ts';
import { serviceAt } from './served.ts';

export type HostsDeps = Pick<HttpDeps, 'log'> & {
  config: Pick<Config, 'baseUrl' | 'environment' | 'isLoopback'>;
  registry: Pick<AppRegistry, 'snapshot' | 'lastKnown'>;
  domains: Pick<DomainLookup, 'appOf'>;
};

/** Whoever watches the process asks by address, and also while the store that knows the domains is away. */
const WATCHED = new Set(['/healthz', '/readyz', '/health']);
/** What is published below an issuer by others than the protocol library (protected-resources.ts). */
const PUBLISHED = new Set(['/.well-known/oauth-protected-resource/userinfo', '/.well-known/webauthn']);
const WARN_EVERY_MS = 60_000;

/**
 * Decides by Host where a request arrived, before anything answers it: the deployment's own address, the domain of an
 * app, where nothing but that app is, or nowhere. From here on addresses come from the site; Host is not read again.
 */
export function hosts(deps: HostsDeps): Middleware {
  const base: Base = {
    site: { origin: deps.config.baseUrl, appId: undefined },
    hostname: hostnameIn(deps.config.baseUrl),
  };
  const warn = warnOfStrangers(deps);
  return answering(async (ctx, next) => {
    if (WATCHED.has(ctx.path)) return next();
    const name = hostnameOf(ctx.req);
    const site = name === base.hostname ? base.site : name && (await siteOfName(deps, name, base));
    if (!site) {
      // Protected by itself, and scraped by address or by the name of a service.
      if (ctx.path === '/metrics') return next();
      warn(name);
      return refusePlainly(ctx);
    }
    stateOf(ctx).site = site;
    if (site.appId !== undefined) await enterDomain(deps, ctx, site.appId, site.origin);
    else if (ctx.path.startsWith('/auth/')) await requireNotLeft(deps, ctx.path);
    return next();
  }, []);
}

type Base = { site: Site; hostname: string };

async function siteOfName(deps: HostsDeps, name: string, base: Base): Promise<Site | undefined> {
  const { isLoopback, environment } = deps.config;
  // On one's own machine every name of it leads here, unless it is an app's.
  const isHere = (isLoopback || environment === 'development') && isLoopbackHost(name);
  if (isHere && !name.endsWith('.localhost')) return base.site;
  return (await siteOfDomain(deps, name)) ?? (isHere ? base.site : undefined);
}

async function siteOfDomain(deps: HostsDeps, name: string): Promise<Site | undefined> {
  if (!/^(?=.{4,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(name)) return undefined;
  const appId = await deps.domains.appOf(name);
  // As last known: what is published is answered while the store is away; all else asks again and fails closed.
  const snapshot = appId === undefined ? undefined : await deps.registry.lastKnown(appId);
  const origin = originOfDomain(deps.config.baseUrl, name);
  if (!snapshot || serviceAt(deps.config.baseUrl, snapshot, origin) === 'nothing') return undefined;
  return { origin, appId };
}

/** `/auth/{app_id}/…` of an app that has left BASE_URL for good answers as that of an unknown one. */
async function requireNotLeft({ registry, config }: HostsDeps, path: string): Promise<void> {
  const [, appId, rest] = /^\/auth\/([^/]+)(\/.*)$/.exec(path) ?? [];
  // The protocol's own routes know it themselves, and answer as the protocol wants it.
  if (appId === undefined || !isAppId(appId) || isProtocolPath(rest!)) return;
  const snapshot = await registry.snapshot(appId);
  if (snapshot && serviceAt(config.baseUrl, snapshot, 'own') === 'nothing') throw notFound();
}

/** At a domain there are the protocol's routes, the app's pages and what these are drawn with. Nothing else is there. */
async function enterDomain(deps: HostsDeps, ctx: Context, appId: string, origin: string): Promise<void> {
  // Without includeSubDomains: what else there is below the domain is not ours to decide.
  if (origin.startsWith('https:')) ctx.set('Strict-Transport-Security', 'max-age=31536000');
  else ctx.remove('Strict-Transport-Security');
  const pages = `/auth/${appId}`;
  const isPage = ctx.path.startsWith(`${pages}/`) && !isProtocolPath(ctx.path.slice(pages.length));
  const isAsset = ctx.path.startsWith('/assets/') || ctx.path === '/favicon.ico';
  if (isPage || isAsset || isProtocolPath(ctx.path) || PUBLISHED.has(ctx.path)) return;
  const snapshot = await deps.registry.lastKnown(appId);
  stateOf(ctx).app = snapshot && pageAppOf(snapshot.app);
  throw notFound();
}

/** A stranger's name gets no page, no name and no link of ours. */
function refusePlainly(ctx: Context): void {
  stateOf(ctx).route = 'unknown-host';
  ctx.status = 404;
  ctx.type = 'text/plain; charset=utf-8';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = 'Not found\n';
}

/** Mostly it is a proxy that does not pass Host on, and then nothing works: worth a line, now and then. */
function warnOfStrangers({ log }: HostsDeps): (name: string | undefined) => void {
  let quietUntil = 0;
  return (name) => {
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + WARN_EVERY_MS;
    const host = name?.slice(0, 253) ?? null;
    log.warn({ host }, 'a request for an unknown host was refused; a proxy in front has to pass Host on');
  };
}

const hostnameIn = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, '').toLowerCase();
