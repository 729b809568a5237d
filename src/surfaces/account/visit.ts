import type { Context } from 'koa';
import { type AppSnapshot, siteOf } from '../../apps/app.ts';
import type { Author } from '../../events/author.ts';
import { formBody } from '../../http/bodies.ts';
import { requireCsrf } from '../../http/csrf.ts';
import { t } from '../../http/messages.ts';
import { localeOf, showPage } from '../../http/page.ts';
import { stateOf } from '../../http/request-state.ts';
import { accountSignInUrl } from '../../oidc/account-pages.ts';
import { type BrowserSession, browserSession } from '../../oidc/browser-session.ts';
import { issuerUrl } from '../../oidc/issuers.ts';
import { pageAppOf } from '../../oidc/page-app.ts';
import { authorOf } from '../../sign-in/author.ts';
import type { AccountDeps } from './deps.ts';
import { noSuchApp } from './errors.ts';

/** Pages of the account, in the order of their links. The name is the last part of the address. */
export const accountPages = ['sessions', 'apps'] as const;
export type AccountPage = (typeof accountPages)[number];

/** One request of somebody who is signed in at this app. */
export type Visit = {
  ctx: Context;
  deps: AccountDeps;
  appId: string;
  snapshot: AppSnapshot;
  session: BrowserSession;
  /** Where these pages are: `{issuer}/account`. */
  root: string;
  form: Readonly<Record<string, string | undefined>>;
  by: Author;
};

type Handler = (visit: Visit) => Promise<void> | void;

/** Whoever ends what others may be using has to have signed in this lately (OWASP ASVS 7.5.2). */
const RECENT_SECONDS = 15 * 60;

/** For pages of the account. Without a session the browser goes through an ordinary sign-in and comes back. */
export function onAccount(deps: AccountDeps, page: AccountPage, handler: Handler) {
  return async (ctx: Context): Promise<void> => {
    const { appId, snapshot, ownIssuer } = await enter(deps, ctx);
    const session = await browserSession(deps, ctx, appId);
    if (!session) return goSignIn(ctx, { appId, ownIssuer, state: page });
    // A token of the session that showed the form: one left over from another person's visit does nothing.
    const csrfScope = `${appId}:account:${session.uid}`;
    stateOf(ctx).csrfScope = csrfScope;
    const form = ctx.method === 'POST' ? await formBody(ctx) : {};
    if (ctx.method === 'POST') requireCsrf(ctx, csrfScope, form.csrf);
    const by: Author = { ...authorOf(ctx), actor: { type: 'user', id: session.userId } };
    await handler({ ctx, deps, appId, snapshot, session, root: `${ownIssuer}/account`, form, by });
  };
}

/** The same for what takes something away. Somebody who signed in long ago does so again and then chooses again. */
export function onRecentAccount(deps: AccountDeps, page: AccountPage, handler: Handler) {
  return onAccount(deps, page, async (visit) => {
    const { ctx, appId, session } = visit;
    const age = Math.floor(Date.now() / 1000) - session.authTimeSeconds;
    if (age < RECENT_SECONDS) return handler(visit);
    const ownIssuer = issuerUrl(visit.deps.baseUrl, appId, 'own');
    goSignIn(ctx, { appId, ownIssuer, state: `${page}.again`, maxAgeSeconds: RECENT_SECONDS - 60 });
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
  return { appId, snapshot, ownIssuer: issuerUrl(deps.baseUrl, appId, 'own') };
}

type SignIn = { appId: string; ownIssuer: string; state: string; maxAgeSeconds?: number };

function goSignIn(ctx: Context, wanted: SignIn): void {
  ctx.set('cache-control', 'no-store');
  ctx.redirect(accountSignInUrl({ ...wanted, uiLocales: stateOf(ctx).uiLocales }));
  ctx.status = 303;
}

const NOTICES = ['ended', 'others', 'revoked', 'again'] as const;
type Notice = (typeof NOTICES)[number];

/** Back to a page after something was done, so that "reload" does not do it twice. */
export function goBack({ ctx, root }: Pick<Visit, 'ctx' | 'root'>, page: AccountPage, notice?: Notice): void {
  ctx.redirect(`${root}/${page}${notice === undefined ? '' : `?done=${notice}`}`);
  ctx.status = 303;
}

/** A page in the frame that all of them share. */
export function showAccount(visit: Visit, page: AccountPage, model: object): void {
  const { ctx, deps, root, appId, snapshot } = visit;
  const locale = localeOf(ctx);
  const done = NOTICES.find((notice) => notice === ctx.query['done']);
  showPage(ctx, deps, `account/${page}`, {
    pages: accountPages.map((name) => ({
      label: t(locale, `account.tab_${name}`),
      url: `${root}/${name}`,
      is_current: name === page,
    })),
    sign_out_url: `${issuerUrl(deps.baseUrl, appId, 'own')}/logout`,
    start_url: siteOf(snapshot) ?? null,
    notice: done === undefined ? null : t(locale, `account.done_${done}`),
    ...model,
  });
}

export const localeOfVisit = ({ ctx }: Visit): string => localeOf(ctx);
