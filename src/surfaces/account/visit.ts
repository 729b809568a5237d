import type { Context } from 'koa';
import { type AppSnapshot, siteOf } from '../../apps/app.ts';
import type { Author } from '../../events/author.ts';
import { formBody } from '../../http/bodies.ts';
import { requireCsrf } from '../../http/csrf.ts';
import { t } from '../../http/messages.ts';
import { localeOf, showPage } from '../../http/page.ts';
import { stateOf } from '../../http/request-state.ts';
import { originOf } from '../../http/site.ts';
import { accountRoot, accountSignInUrl } from '../../oidc/account-pages.ts';
import { type BrowserSession, browserSession } from '../../oidc/browser-session.ts';
import { type IssuerKind, issuerUrl, protocolRoutes } from '../../oidc/issuers.ts';
import { pageAppOf } from '../../oidc/page-app.ts';
import { homeIssuer, serviceAt } from '../../oidc/served.ts';
import { authorOf } from '../../sign-in/author.ts';
import type { AccountDeps } from './deps.ts';
import { noSuchApp } from './errors.ts';

/** Pages of the account, in the order of their links. The name is the last part of the address. */
export const accountPages = ['passkeys', 'sessions', 'apps'] as const;
export type AccountPage = (typeof accountPages)[number];

/** One request of somebody who is signed in at this app. */
export type Visit = {
  ctx: Context;
  deps: AccountDeps;
  appId: string;
  snapshot: AppSnapshot;
  session: BrowserSession;
  /** The issuer of the app that these pages are beside, and where they are. */
  at: Place;
  root: string;
  form: Readonly<Record<string, string | undefined>>;
  by: Author;
};

export type Place = { appId: string; issuer: IssuerKind; issuerUrl: string };

type Handler = (visit: Visit) => Promise<void> | void;

/** Whoever ends what others may be using has to have signed in this lately (OWASP ASVS 7.5.2). */
const RECENT_SECONDS = 15 * 60;

/** For pages of the account. Without a session the browser goes through an ordinary sign-in and comes back. */
export function onAccount(deps: AccountDeps, page: AccountPage, handler: Handler) {
  return async (ctx: Context): Promise<void> => {
    const { appId, snapshot, at, root } = await enter(deps, ctx);
    const session = await browserSession(deps, ctx, { appId, origin: originOf(ctx, deps) });
    if (!session) return goSignIn({ ctx, deps, snapshot, at }, page);
    // A token of the session that showed the form: one left over from another person's visit does nothing.
    const csrfScope = `${appId}:account:${session.uid}`;
    stateOf(ctx).csrfScope = csrfScope;
    const form = ctx.method === 'POST' ? await formBody(ctx) : {};
    if (ctx.method === 'POST') requireCsrf(ctx, csrfScope, form.csrf);
    const by: Author = { ...authorOf(ctx), actor: { type: 'user', id: session.userId } };
    await handler({ ctx, deps, appId, snapshot, session, at, root, form, by });
  };
}

/** The same for what takes something away. Somebody who signed in long ago does so again and then chooses again. */
export function onRecentAccount(deps: AccountDeps, page: AccountPage, handler: Handler) {
  return onAccount(deps, page, async (visit) => {
    const age = Math.floor(Date.now() / 1000) - visit.session.authTimeSeconds;
    if (age < RECENT_SECONDS) return handler(visit);
    goSignIn(visit, page, 'again');
  });
}

/** What every address below `/account` begins with: the app, its colours, its language. Throws `account.not_found`. */
export async function enter(deps: AccountDeps, ctx: Context) {
  const { app_id: appId = '' } = ctx.params as Record<string, string>;
  const snapshot = await deps.registry.snapshot(appId);
  if (!snapshot) throw noSuchApp();
  const state = stateOf(ctx);
  state.app = pageAppOf(snapshot.app);
  state.startUrl = siteOf(snapshot);
  const asked = ctx.query['ui_locales'];
  if (typeof asked === 'string') state.uiLocales = asked;
  const issuer = issuerHere(ctx);
  const at: Place = { appId, issuer, issuerUrl: issuerUrl(deps.baseUrl, appId, issuer) };
  return { appId, snapshot, at, root: accountRoot(at) };
}

/** That of the domain where the request arrived, else the app's own below BASE_URL. */
function issuerHere(ctx: Context): IssuerKind {
  const { site } = stateOf(ctx);
  return site?.appId === undefined ? 'own' : (site.origin as IssuerKind);
}

function goSignIn(
  { ctx, deps, snapshot, at }: Pick<Visit, 'ctx' | 'deps' | 'snapshot' | 'at'>,
  page: AccountPage,
  again?: 'again',
): void {
  ctx.set('cache-control', 'no-store');
  const { baseUrl } = deps;
  // Where the app is leaving nobody signs in any more: the pages are at its domain, too.
  if (serviceAt(baseUrl, snapshot, at.issuer) !== 'everything') {
    const issuer = homeIssuer(baseUrl, snapshot);
    const root = accountRoot({ ...at, issuer, issuerUrl: issuerUrl(baseUrl, at.appId, issuer) });
    ctx.redirect(`${root}/${page}`);
  } else {
    ctx.redirect(
      accountSignInUrl({
        ...at,
        state: again === undefined ? page : `${page}.${again}`,
        uiLocales: stateOf(ctx).uiLocales,
        ...(again === undefined ? {} : { maxAgeSeconds: RECENT_SECONDS - 60 }),
      }),
    );
  }
  ctx.status = 303;
}

const NOTICES = [
  'ended',
  'others',
  'revoked',
  'again',
  'passkey_added',
  'passkey_renamed',
  'passkey_removed',
] as const;
type Notice = (typeof NOTICES)[number];

/** Back to a page after something was done, so that "reload" does not do it twice. */
export function goBack({ ctx, root }: Pick<Visit, 'ctx' | 'root'>, page: AccountPage, notice?: Notice): void {
  ctx.redirect(`${root}/${page}${notice === undefined ? '' : `?done=${notice}`}`);
  ctx.status = 303;
}

/** A page in the frame that all of them share; `view` where it is not the one that is called as its link. */
export function showAccount(
  visit: Visit,
  page: AccountPage,
  model: { view?: string; [name: string]: unknown },
): void {
  const { ctx, deps, at, root, snapshot } = visit;
  const locale = localeOf(ctx);
  const done = NOTICES.find((notice) => notice === ctx.query['done']);
  showPage(ctx, deps, model.view ?? `account/${page}`, {
    pages: accountPages.map((name) => ({
      label: t(locale, `account.tab_${name}`),
      url: `${root}/${name}`,
      is_current: name === page,
    })),
    sign_out_url: `${at.issuerUrl}${protocolRoutes.end_session}`,
    start_url: siteOf(snapshot) ?? null,
    notice: done === undefined ? null : t(locale, `account.done_${done}`),
    ...model,
  });
}

/** A sentence of the catalogue, in the language of this visit. */
export const sentenceOf = ({ ctx, snapshot }: Visit, key: string): string =>
  t(localeOf(ctx), key, { app: snapshot.app.name });

export const localeOfVisit = ({ ctx }: Visit): string => localeOf(ctx);
