import type { Context } from 'koa';
import type { App } from '../apps/app.ts';
import type { HttpDeps } from '../http/http-deps.ts';
import { t } from '../http/messages.ts';
import { localeOf, showPage } from '../http/page.ts';
import { stateOf } from '../http/request-state.ts';
import { pageAppOf } from './page-app.ts';

/** Our context or the protocol library's: both hold the request the state belongs to. */
export type PageContext = { req: Context['req']; status: number };

export type ProtocolPages = {
  /** A page about an OAuth error that can not be sent to the app. Shows nothing the request said. */
  problem(
    ctx: PageContext,
    about: { app: App | undefined; error: string; status: number; uiLocales?: string | undefined },
  ): void;
  unavailable(ctx: PageContext, app: App | undefined): void;
  /** Where the code of a device is typed (RFC 8628 §3.3); without an app, the deployment's own. */
  deviceEntry(
    ctx: PageContext,
    model: {
      app: App | undefined;
      action: string;
      xsrf: string;
      userCode: string;
      problem: 'code' | 'limited' | 'form' | undefined;
    },
  ): void;
  deviceDone(ctx: PageContext, app: App): void;
  deviceDenied(ctx: PageContext, app: App): void;
  signOut(
    ctx: PageContext,
    model: {
      app: App;
      action: string;
      xsrf: string;
      userEmail: string | undefined;
      /** Names of clients that stay connected after sign-out. */
      offline: string[];
      uiLocales?: string | undefined;
    },
  ): void;
  /** `hasStayed`: the person was asked and chose not to sign out. */
  signedOut(ctx: PageContext, about: { app: App | undefined; hasStayed: boolean }): void;
  signOutList(ctx: PageContext, apps: { app_id: string; name: string; action: string }[]): void;
};

type Show = (ctx: PageContext, app: App | undefined, name: string, model: object) => void;

/** Pages that answer protocol endpoints: the library, not our router, runs these requests. */
export function protocolPages(deps: Pick<HttpDeps, 'views'>): ProtocolPages {
  const show: Show = (ctx, app, name, model) => {
    const state = stateOf(ctx);
    state.app = app && pageAppOf(app);
    state.csrfScope = undefined;
    showPage(ctx as Context, deps, name, model);
  };
  return {
    problem(ctx, { app, error, status, uiLocales }) {
      const state = stateOf(ctx);
      state.uiLocales = uiLocales ?? state.uiLocales;
      ctx.status = status;
      if (error === 'expired') return show(ctx, app, 'error/expired', {});
      const locale = localeOf(ctx as Context);
      const words = status >= 500 ? 'error.server' : 'error.request';
      show(ctx, app, 'error/problem', {
        status,
        title: t(locale, `${words}.title`),
        message: t(locale, `${words}.body`),
        request_id: state.requestId,
        again_url: status >= 500 ? '' : null,
      });
    },
    unavailable(ctx, app) {
      ctx.status = 503;
      show(ctx, app, 'error/unavailable', { retry_after: 2 });
    },
    ...devicePages(show),
    ...signOutPages(show),
  };
}

function devicePages(show: Show): Pick<ProtocolPages, 'deviceEntry' | 'deviceDone' | 'deviceDenied'> {
  return {
    deviceEntry(ctx, { app, action, xsrf, userCode, problem }) {
      const locale = localeOf(ctx as Context);
      const said = { code: 'device_code', limited: 'too_many', form: 'form_expired' } as const;
      const sentence = problem && t(locale, `problem.${said[problem]}`, { minutes: 10 });
      show(ctx, app, 'device/enter', {
        action,
        xsrf,
        user_code: userCode,
        csrf: null,
        problem: sentence ?? null,
      });
    },
    deviceDone(ctx, app) {
      ctx.status = 200;
      show(ctx, app, 'device/done', {});
    },
    deviceDenied(ctx, app) {
      ctx.status = 200;
      show(ctx, app, 'device/denied', {});
    },
  };
}

function signOutPages(show: Show): Pick<ProtocolPages, 'signOut' | 'signedOut' | 'signOutList'> {
  return {
    signOut(ctx, { app, action, xsrf, userEmail, offline, uiLocales }) {
      stateOf(ctx).uiLocales = uiLocales;
      show(ctx, app, 'session/sign-out', {
        app_id: app.appId,
        action,
        xsrf,
        csrf: null,
        user_email: userEmail ?? null,
        offline,
      });
    },
    signedOut(ctx, { app, hasStayed }) {
      ctx.status = 200;
      show(ctx, app, 'session/signed-out', { return_url: stateOf(ctx).startUrl ?? null, stayed: hasStayed });
    },
    signOutList(ctx, apps) {
      ctx.status = 200;
      show(ctx, undefined, 'session/sign-out-list', { apps });
    },
  };
}
