import type { Context } from 'koa';
import { type AppSnapshot, siteOf } from '../../apps/app.ts';
import type { Author } from '../../events/author.ts';
import { formBody } from '../../http/bodies.ts';
import { requireCsrf } from '../../http/csrf.ts';
import { type MessageValues, t } from '../../http/messages.ts';
import { localeOf, showPage } from '../../http/page.ts';
import { stateOf } from '../../http/request-state.ts';
import { originOf } from '../../http/site.ts';
import { accountRoot, type AccountSignIn, accountSignInUrl } from '../../oidc/account-pages.ts';
import { acr } from '../../oidc/authentication-context.ts';
import { type BrowserSession, browserSession } from '../../oidc/browser-session.ts';
import { type IssuerKind, issuerUrl, protocolRoutes } from '../../oidc/issuers.ts';
import { pageAppOf } from '../../oidc/page-app.ts';
import { homeIssuer, serviceAt } from '../../oidc/served.ts';
import { authorOf } from '../../sign-in/author.ts';
import { scoped } from '../../storage/database.ts';
import { enrolledFactors, hasFactor } from '../../users/factors/enrolled.ts';
import { userById } from '../../users/store.ts';
import type { AccountDeps } from './deps.ts';
import { noSuchApp, notSignedIn } from './errors.ts';
import { askedByWord, fieldsOfWayBack, type WayBack, wayBackOf, wordOfWayBack } from './way-back.ts';

/** Pages of the account, in the order of their links. The name is the last part of the address. */
export const accountPages = [
  'profile',
  'identifiers',
  'password',
  'passkeys',
  'factors',
  'sessions',
  'apps',
  'activity',
  'data',
] as const;
export type AccountPage = (typeof accountPages)[number];
export const firstPage: AccountPage = 'profile';

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
  /** Whether the person has a second factor and has not shown it in this session. */
  lacksFactor: boolean;
  /** Where the application that led here wants the person back; carried from page to page. */
  wayBack: WayBack | undefined;
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
    const form = ctx.method === 'POST' ? await formBody(ctx) : {};
    const wayBack = wayBackOf(snapshot, ctx.method === 'POST' ? form : ctx.query);
    if (!session) return goSignIn({ ctx, deps, snapshot, at, wayBack }, page);
    // A token of the session that showed the form: one left over from another person's visit does nothing.
    const csrfScope = accountCsrfScope(appId, session);
    const state = stateOf(ctx);
    state.csrfScope = csrfScope;
    state.timeZone = (await userById(scoped(deps.db, appId), appId, session.userId))?.profile.zoneinfo;
    if (ctx.method === 'POST') requireCsrf(ctx, csrfScope, form.csrf);
    const by: Author = { ...authorOf(ctx), actor: { type: 'user', id: session.userId } };
    const lacksFactor = await isFactorMissing(deps, snapshot, session);
    await handler({ ctx, deps, appId, snapshot, session, at, root, form, by, lacksFactor, wayBack });
  };
}

export const accountCsrfScope = (appId: string, { uid }: Pick<BrowserSession, 'uid'>): string =>
  `${appId}:account:${uid}`;

async function isFactorMissing(
  deps: AccountDeps,
  { app: { appId, settings } }: AppSnapshot,
  session: BrowserSession,
): Promise<boolean> {
  if (settings.second_factor === 'off' || session.acr === acr.twoFactors) return false;
  return hasFactor(await enrolledFactors(scoped(deps.db, appId), appId, session.userId));
}

/**
 * The same for what takes something away. Somebody who signed in long ago, or without the second factor that they have,
 * does so again and then chooses again.
 */
export function onRecentAccount(deps: AccountDeps, page: AccountPage, handler: Handler) {
  return onAccount(deps, page, async (visit) => {
    if (isRecent(visit)) return handler(visit);
    goSignIn(visit, page, {
      ...(isFresh(visit.session) ? {} : { maxAgeSeconds: RECENT_SECONDS - 60 }),
      ...(visit.lacksFactor ? { acrValues: acr.twoFactors } : {}),
    });
  });
}

/** Whether the person has just proved who they are: pages that ask for typing say so before, not after. */
export function isRecent({ session, lacksFactor }: Pick<Visit, 'session' | 'lacksFactor'>): boolean {
  return !lacksFactor && isFresh(session);
}

const isFresh = ({ authTimeSeconds }: BrowserSession): boolean =>
  Math.floor(Date.now() / 1000) - authTimeSeconds < RECENT_SECONDS;

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
  { ctx, deps, snapshot, at, wayBack }: Pick<Visit, 'ctx' | 'deps' | 'snapshot' | 'at' | 'wayBack'>,
  page: AccountPage,
  again?: Pick<AccountSignIn, 'maxAgeSeconds' | 'acrValues'>,
): void {
  ctx.set('cache-control', 'no-store');
  const { baseUrl } = deps;
  // Where the app is leaving nobody signs in any more: the pages are at its domain, too.
  if (serviceAt(baseUrl, snapshot, at.issuer) !== 'everything') {
    const issuer = homeIssuer(baseUrl, snapshot);
    const root = accountRoot({ ...at, issuer, issuerUrl: issuerUrl(baseUrl, at.appId, issuer) });
    ctx.redirect(urlOf({ root, wayBack }, page));
  } else {
    ctx.redirect(
      accountSignInUrl({
        ...at,
        state: [page, again ? 'again' : '', wayBack ? wordOfWayBack(wayBack) : '']
          .join('.')
          .replace(/\.+$/, ''),
        uiLocales: stateOf(ctx).uiLocales,
        ...again,
      }),
    );
  }
  ctx.status = 303;
}

const NOTICES = [
  'profile',
  'email',
  'email_asked',
  'email_cancelled',
  'password',
  'password_set',
  'password_removed',
  'ended',
  'others',
  'revoked',
  'again',
  'passkey_added',
  'passkey_renamed',
  'passkey_removed',
  'totp_enabled',
  'totp_removed',
  'trusted',
] as const;
type Notice = (typeof NOTICES)[number];

/** The answer of the authorization endpoint. Its code is left to expire: whether someone is signed in, the cookie says. */
export async function comeBack(deps: AccountDeps, ctx: Context): Promise<void> {
  const { root, snapshot } = await enter(deps, ctx);
  // The person declined, or the app's settings allow no such request: asking again would only go round.
  if (typeof ctx.query['code'] !== 'string') throw notSignedIn();
  const [name, again, word] = String(ctx.query['state'] ?? '').split('.');
  const page = accountPages.find((known) => known === name) ?? firstPage;
  const wayBack = wayBackOf(snapshot, askedByWord(word));
  goBack({ ctx, root, wayBack }, page, again === 'again' ? 'again' : undefined);
}

/** Back to a page after something was done, so that "reload" does not do it twice. */
export function goBack(
  visit: Pick<Visit, 'ctx' | 'root' | 'wayBack'>,
  page: AccountPage,
  notice?: Notice,
): void {
  visit.ctx.redirect(urlOf(visit, page, notice === undefined ? {} : { done: notice }));
  visit.ctx.status = 303;
}

/** An address below these pages; the way back to the application comes along. */
export function urlOf(
  { root, wayBack }: Pick<Visit, 'root' | 'wayBack'>,
  path: string,
  query: Record<string, string> = {},
): string {
  const all = new URLSearchParams({ ...query, ...fieldsOfWayBack(wayBack) }).toString();
  return `${root}/${path}${all ? `?${all}` : ''}`;
}

/** A page in the frame that all of them share; `view` where it is not the one that is called as its link. */
export function showAccount(
  visit: Visit,
  page: AccountPage,
  model: { view?: string; [name: string]: unknown },
): void {
  const { ctx, deps, at, wayBack } = visit;
  const locale = localeOf(ctx);
  const done = NOTICES.find((notice) => notice === ctx.query['done']);
  showPage(ctx, deps, model.view ?? `account/${page}`, {
    pages: accountPages.map((name) => ({
      label: t(locale, `account.tab_${name}`),
      url: urlOf(visit, name),
      is_current: name === page,
    })),
    sign_out_url: `${at.issuerUrl}${protocolRoutes.end_session}`,
    way_back: wayBack
      ? { name: wayBack.name, url: wayBack.returnTo, fields: fieldsOfWayBack(wayBack) }
      : null,
    notice: done === undefined ? null : t(locale, `account.done_${done}`),
    ...model,
  });
}

/** A sentence of the catalogue, in the language of this visit. */
export const sentenceOf = ({ ctx, snapshot }: Visit, key: string, values: MessageValues = {}): string =>
  t(localeOf(ctx), key, { app: snapshot.app.name, ...values });

export const localeOfVisit = ({ ctx }: Visit): string => localeOf(ctx);
