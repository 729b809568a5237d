import type { Context } from 'koa';
import { formBody } from '../../../http/bodies.ts';
import { getCookie, setCookie } from '../../../http/cookies.ts';
import { csrfFor, requireCsrf } from '../../../http/csrf.ts';
import type { HttpDeps } from '../../../http/http-deps.ts';
import { showPage } from '../../../http/page.ts';
import { startModel, tokensModel } from './present.ts';
import type { CallResult, RelyingParty, Tokens } from './relying-party.ts';
import type { Visit, Visits } from './visits.ts';

/** The small app that signs in to the demo app. */
export type Playground = { party: RelyingParty; visits: Visits; appName: string };

type PlaygroundDeps = { playground: Playground; views: HttpDeps['views'] };
type Answer = (ctx: Context) => Promise<void> | void;

const HOME = '/dev/playground';
const SCOPE = 'playground';
const COOKIE = 'lk_playground';
// BASE_URL is loopback here, and http or not, another origin than any app's: no prefix is needed.
const COOKIES = { isHttps: false };

export function playgroundAnswers({ playground, views }: PlaygroundDeps): Record<string, Answer> {
  const act = (work: (visit: Visit, tokens: Tokens) => Promise<void>) => (ctx: Context) =>
    onTokens(ctx, playground, work);
  const { party } = playground;
  return {
    [`GET ${HOME}`]: (ctx) => show(ctx, { playground, views }),
    [`POST ${HOME}/start`]: (ctx) => start(ctx, playground),
    [`GET ${HOME}/callback`]: (ctx) => arrive(ctx, playground),
    [`POST ${HOME}/refresh`]: act(async (visit, tokens) => {
      visit.tokens = await party.refresh(tokens);
    }),
    [`POST ${HOME}/userinfo`]: act(async (visit, tokens) => {
      visit.result = await askUserinfo(party, visit, tokens);
    }),
    [`POST ${HOME}/introspect`]: act(async (visit, tokens) => {
      visit.result = await party.introspect(tokens);
    }),
    [`POST ${HOME}/logout`]: (ctx) => signOut(ctx, playground),
  };
}

function show(ctx: Context, { playground, views }: PlaygroundDeps): void {
  const visit = visitOf(ctx, playground);
  const { party, appName } = playground;
  const csrf = csrfFor(ctx, SCOPE);
  if (visit?.tokens && ctx.query.again === undefined) {
    showPage(ctx, { views }, 'dev/playground/tokens', { csrf, ...tokensModel(party, visit.tokens, visit) });
  } else {
    showPage(ctx, { views }, 'dev/playground/start', {
      csrf,
      ...startModel(party, appName, visit?.problem ?? null),
    });
  }
  // Shown once: a reload is not the same refusal again.
  if (visit) visit.problem = undefined;
}

async function start(ctx: Context, playground: Playground): Promise<void> {
  const form = await formBody(ctx);
  requireCsrf(ctx, SCOPE, form.csrf);
  // A fresh visit each time: what one sign-in left behind does not colour the next.
  const { id, visit } = playground.visits.begin();
  setCookie(ctx, COOKIES, { name: COOKIE, value: id, path: HOME });
  await orProblem(ctx, visit, async () => {
    const { url, departure } = await playground.party.depart(form.issuer === 'own' ? 'own' : 'shared');
    visit.departure = departure;
    seeOther(ctx, url.href);
  });
}

async function arrive(ctx: Context, playground: Playground): Promise<void> {
  const visit = visitOf(ctx, playground);
  const departure = visit?.departure;
  if (!visit || !departure) return seeOther(ctx, HOME);
  visit.departure = undefined;
  await orProblem(ctx, visit, async () => {
    visit.tokens = await playground.party.arrive(ctx.search, departure);
    await askUserinfo(playground.party, visit, visit.tokens);
    // Away from the address that holds the code.
    seeOther(ctx, HOME);
  });
}

async function askUserinfo(party: RelyingParty, visit: Visit, tokens: Tokens): Promise<CallResult> {
  const result = await party.userinfo(tokens);
  const { email } = result.body as { email?: unknown };
  visit.email = typeof email === 'string' ? email : undefined;
  return result;
}

async function onTokens(
  ctx: Context,
  playground: Playground,
  work: (visit: Visit, tokens: Tokens) => Promise<void>,
): Promise<void> {
  requireCsrf(ctx, SCOPE, (await formBody(ctx)).csrf);
  const visit = visitOf(ctx, playground);
  const tokens = visit?.tokens;
  if (!visit || !tokens) return seeOther(ctx, HOME);
  visit.result = undefined;
  await orProblem(ctx, visit, async () => {
    await work(visit, tokens);
    seeOther(ctx, HOME);
  });
}

async function signOut(ctx: Context, playground: Playground): Promise<void> {
  await onTokens(ctx, playground, async (visit, tokens) => {
    const url = await playground.party.signOutUrl(tokens);
    visit.tokens = undefined;
    seeOther(ctx, url.href);
  });
}

/** What the provider refuses is shown on the playground's own page: it is why one looks at it. */
async function orProblem(ctx: Context, visit: Visit, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    visit.problem = sentenceOf(error);
    seeOther(ctx, HOME);
  }
}

function sentenceOf(error: unknown): string {
  const {
    error: code,
    error_description: description,
    cause,
  } = error as { error?: unknown; error_description?: unknown; cause?: unknown };
  if (typeof code === 'string') return typeof description === 'string' ? `${code}: ${description}` : code;
  const deeper = cause instanceof Error ? ` (${cause.message})` : '';
  return error instanceof Error ? `${error.message}${deeper}` : 'The call failed.';
}

function visitOf(ctx: Context, { visits }: Playground): Visit | undefined {
  return visits.find(getCookie(ctx, COOKIES, COOKIE, HOME));
}

/** 303 unless the work has sent the browser elsewhere already. */
function seeOther(ctx: Context, url: string): void {
  if (ctx.status === 303) return;
  ctx.status = 303;
  ctx.set('Location', url);
  ctx.set('Cache-Control', 'no-store');
  ctx.body = '';
}
