import type { Context } from 'koa';
import type { App } from '../apps/app.ts';
import type { Admission } from '../http/admission/admission.ts';
import { tooManySignIns } from '../http/refusals.ts';
import { stateOf } from '../http/request-state.ts';
import type { RootKeys } from '../kernel/secret.ts';
import { cookieSigner } from './cookie-signer.ts';
import { narrowCookies, sessionCookieName } from './cookies.ts';
import { issuerUrl, type IssuerKind, protocolRoutes } from './issuers.ts';
import { pageAppOf } from './page-app.ts';

type Deps = { baseUrl: string; rootKeys: RootKeys; admission: Admission };
type At = { path: string; issuer: IssuerKind; app: App };

/** Somebody is asked again, signed in or not (OIDC Core §3.1.2.1). */
const ASKING = /(?:^| )(?:login|select_account|create)(?: |$)/;

/**
 * Refuses a request that would begin a sign-in while more of them come than can be finished: Problem `sign_in.busy`,
 * before anything is read or written for it. Whoever goes on with one, or brings a session of this app, passes.
 */
export function admitBeginning(ctx: Context, deps: Deps, at: At): void {
  // A POST is either repeated by GET, where it is asked about, or is that of a page that was let in.
  if (ctx.method === 'POST') return;
  if (at.path !== protocolRoutes.authorization && at.path !== protocolRoutes.code_verification) return;
  const query = new URLSearchParams(ctx.querystring);
  const prompt = query.get('prompt') ?? '';
  // Without a page nobody has anything to finish.
  if (/(?:^| )none(?: |$)/.test(prompt)) return;
  if (!ASKING.test(prompt) && bringsSession(ctx, deps, at)) return;
  if (deps.admission.mayBegin(at.app.appId)) return;
  const state = stateOf(ctx);
  state.app = pageAppOf(at.app);
  state.uiLocales = query.get('ui_locales') ?? undefined;
  throw tooManySignIns();
}

/** One that we gave out, as far as its signature says; whether it lives is for those to ask who have time for it. */
function bringsSession(ctx: Context, deps: Deps, { issuer, app }: At): boolean {
  const { appId } = app;
  const session = sessionCookieName(issuerUrl(deps.baseUrl, appId, issuer), appId);
  const narrowed = narrowCookies(ctx.get('cookie') || undefined, { session, appId, uid: undefined });
  if (narrowed === undefined || !deps.admission.isShedding()) return narrowed !== undefined;
  const pairs = new Map(
    narrowed.split('; ').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  const [value, signature] = [pairs.get(session), pairs.get(`${session}.sig`)];
  if (value === undefined || signature === undefined) return false;
  return cookieSigner(deps.rootKeys, appId).verify(`${session}=${value}`, signature);
}
