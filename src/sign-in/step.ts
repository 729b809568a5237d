import type { Context } from 'koa';
import { type AppSnapshot, siteOf } from '../apps/app.ts';
import { formBody } from '../http/bodies.ts';
import { requireCsrf } from '../http/csrf.ts';
import { allowFormTo } from '../http/security-headers.ts';
import type { Interaction } from '../oidc/interaction.ts';
import { pageAppOf } from '../oidc/page-app.ts';
import type { SignInDeps } from './deps.ts';
import { nothingHere } from './errors.ts';
import { goTo } from './onward.ts';

/** One request to a page of an app: what was checked before its handler runs. */
export type PageRequest = {
  ctx: Context;
  deps: SignInDeps;
  appId: string;
  snapshot: AppSnapshot;
  /** What forms of this page are bound to. */
  csrfScope: string;
  /** Fields of a POST; empty otherwise. Only fields that a handler reads by name have any effect. */
  form: Readonly<Record<string, string | undefined>>;
};

/** The same at a URL of an interaction; says nothing about whose browser this is or whether it is alive. */
export type LinkRequest = PageRequest & { uid: string };

/** The same in the browser that began the interaction, and at the prompt that the handler is for. */
export type Step = LinkRequest & { interaction: Interaction };

/** The prompt that a handler is for. */
type Due = 'login' | 'consent' | 'device' | 'any';

type Handler<Request> = (request: Request) => Promise<void> | void;
type Route = (ctx: Context) => Promise<void>;

/** Where an interaction's pages live. */
export const interactionPath = (at: { appId: string; uid: string }): string =>
  `/auth/${at.appId}/interaction/${at.uid}`;

/** For pages of an app that belong to no interaction. `purpose` binds their forms. */
export function onPage(deps: SignInDeps, purpose: string, handler: Handler<PageRequest>): Route {
  return async (ctx) => handler(await pageRequest(deps, ctx, purpose));
}

/** For links in mails, which may be opened in any browser. */
export function onLink(deps: SignInDeps, handler: Handler<LinkRequest>): Route {
  return async (ctx) => handler(await linkRequest(deps, ctx));
}

/**
 * For everything that happens where the sign-in began. Problem `interaction.expired` in any other browser or
 * afterwards; a request out of order advances nothing and is led back to the step that is due.
 */
export function onStep(deps: SignInDeps, prompt: Due, handler: Handler<Step>): Route {
  return async (ctx) => {
    const request = await linkRequest(deps, ctx);
    const interaction = await deps.interactions.load(ctx, request.appId, request.uid);
    await take(request, { prompt, interaction, handler });
  };
}

/** The same with something that is asked of a store beside the interaction. It is awaited, or refuses, where the handler awaits it. */
export function onStepWith<Beside>(
  deps: SignInDeps,
  prompt: Due,
  beside: (request: LinkRequest) => Promise<Beside>,
  handler: (step: Step, beside: Promise<Beside>) => Promise<void> | void,
): Route {
  return async (ctx) => {
    const request = await linkRequest(deps, ctx);
    let asked: Promise<Beside> | undefined;
    const interaction = await deps.interactions.load(ctx, request.appId, request.uid, () => {
      asked = beside(request);
      // Whoever is refused before it is awaited hears of that alone.
      asked.catch(() => {});
    });
    await take(request, { prompt, interaction, handler: (step) => handler(step, asked!) });
  };
}

type Taken = { prompt: Due; interaction: Interaction; handler: Handler<Step> };

async function take(request: LinkRequest, { prompt, interaction, handler }: Taken): Promise<void> {
  const { ctx } = request;
  stayWith(ctx, interaction);
  if (prompt === 'any' || interaction.prompt.name === prompt) await handler({ ...request, interaction });
  else goTo(ctx, interactionPath(request));
}

/** Lets forms of this page end at the app's redirect URI and speak the language the app asked for. */
export function stayWith(ctx: Context, interaction: Interaction): void {
  const { redirect_uri: redirectUri, ui_locales: uiLocales } = interaction.params;
  if (typeof redirectUri === 'string') allowFormTo(ctx, redirectUri);
  if (typeof uiLocales === 'string') ctx.state.uiLocales = uiLocales;
}

async function linkRequest(deps: SignInDeps, ctx: Context): Promise<LinkRequest> {
  const uid = paramOf(ctx, 'uid');
  return { ...(await pageRequest(deps, ctx, `interaction:${uid}`)), uid };
}

async function pageRequest(deps: SignInDeps, ctx: Context, purpose: string): Promise<PageRequest> {
  const appId = paramOf(ctx, 'app_id');
  const snapshot = await deps.registry.snapshot(appId);
  if (!snapshot) throw nothingHere();
  ctx.state.app = pageAppOf(snapshot.app);
  ctx.state.startUrl = siteOf(snapshot);
  const csrfScope = `${appId}:${purpose}`;
  const form = ctx.method === 'POST' ? await formBody(ctx) : {};
  if (ctx.method === 'POST') requireCsrf(ctx, csrfScope, form.csrf);
  return { ctx, deps, appId, snapshot, csrfScope, form };
}

/** A segment of the route's path; '' where the route has none of that name. */
export function paramOf(ctx: Context, name: string): string {
  const params = ctx.params as Record<string, string> | undefined;
  return params?.[name] ?? '';
}
