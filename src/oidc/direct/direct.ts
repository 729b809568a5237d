import type { Context } from 'koa';
import type { Client } from '../../apps/app.ts';
import { answerWithoutPage } from '../../http/security-headers.ts';
import { stateOf } from '../../http/request-state.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { authorOf } from '../author.ts';
import { answerFailure, type FailureDeps } from '../failed-request.ts';
import { isFapi } from '../features/fapi.ts';
import { issuerUrl, type IssuerKind, protocolRoutes } from '../issuers.ts';
import type { Found } from '../provider-cache.ts';
import { refuseClient } from '../refusal.ts';
import { inUnitOfWork, UnitOfWork } from '../unit-of-work.ts';
import { authorized, type Redirect } from './authorization.ts';
import { begun } from './beginning.ts';
import { clientFields, clientOf } from './client.ts';
import { type Form, plainFields } from './form.ts';
import { introspected, introspectionFields } from './introspection.ts';
import { machineToken } from './machine-token.ts';
import { redeemed } from './redemption.ts';
import { refreshed } from './refresh.ts';
import { userinfo } from './userinfo.ts';

type Stores = Pick<AdapterDeps, 'db' | 'ephemeral' | 'cache' | 'access' | 'rootKeys' | 'mtls'>;

/** What the adapters of a provider that was found would know, without building it. */
export const adapterDeps = (
  deps: Stores & { baseUrl: string },
  { snapshot, ring }: Pick<Found, 'snapshot' | 'ring'>,
  { appId, issuer }: { appId: string; issuer: IssuerKind },
): AdapterDeps => ({
  ...deps,
  snapshot,
  appId,
  issuer,
  issuerUrl: issuerUrl(deps.baseUrl, appId, issuer),
  keys: ring.published,
});

export type DirectDeps = Stores &
  Pick<FailureDeps, 'pages' | 'log'> & {
    baseUrl: string;
    count: { tokenIssued(grantType: string): void; answeredDirectly(): void };
  };

type Asked = { path: string; issuer: IssuerKind; body: string | undefined; source: Found };

/** Whether the request has been answered. */
export type DirectAnswers = (ctx: Context, asked: Asked) => Promise<boolean>;

/** What goes into the body, and which grant it was, or where a browser goes; undefined: the library has to answer. */
type Answer = { body: Record<string, unknown>; grantType?: string } | { redirect: Redirect } | undefined;
type Door = {
  method: string;
  /** Whether it is a browser that comes here, with a query; else a machine, without. */
  isForBrowsers?: boolean;
  /** The library's name for it. */
  route: string;
  answer(at: AdapterDeps, ctx: Context, unit: UnitOfWork, body: string | undefined): Promise<Answer>;
};
type AnswerClient = (
  at: AdapterDeps,
  client: Client,
  form: Form,
) => Promise<Record<string, unknown> | undefined>;

const grants: ReadonlyMap<string | undefined, AnswerClient> = new Map([
  ['client_credentials', machineToken],
  ['refresh_token', refreshed],
  ['authorization_code', redeemed],
]);
const tokenFields: ReadonlySet<string> = new Set([
  ...clientFields,
  'grant_type',
  'scope',
  'resource',
  'refresh_token',
  'code',
  'code_verifier',
  'redirect_uri',
]);

const doors: Readonly<Record<string, Door>> = {
  [protocolRoutes.authorization]: {
    method: 'GET',
    isForBrowsers: true,
    route: 'authorization',
    answer: async (at, ctx) => {
      const presented = { query: ctx.querystring, cookies: ctx.req.headers.cookie };
      const redirect = (await authorized(at, presented)) ?? (await begun(at, presented));
      return redirect && { redirect };
    },
  },
  [protocolRoutes.token]: {
    method: 'POST',
    route: 'token',
    answer: async (at, ctx, unit, body) => {
      // Whoever has to be asked before tokens are issued is asked by the library's hooks.
      const form = at.snapshot.tokenHook ? undefined : plainFields(body, tokenFields);
      const grantType = form?.['grant_type'];
      const found = await forClient(at, ctx, { unit, form, answer: grants.get(grantType) });
      return found && { body: found, grantType: grantType! };
    },
  },
  [protocolRoutes.introspection]: {
    method: 'POST',
    route: 'introspection',
    answer: async (at, ctx, unit, body) => {
      const form = plainFields(body, introspectionFields);
      const found = await forClient(at, ctx, { unit, form, answer: introspected });
      return found && { body: found };
    },
  },
  [protocolRoutes.userinfo]: {
    method: 'GET',
    route: 'userinfo',
    answer: async (at, ctx) => {
      const found = await userinfo(at, ctx.get('authorization') || undefined);
      return found && { body: found };
    },
  },
};

/**
 * Answers the plainest of what is asked most without the protocol library: tokens for services, codes and refresh tokens,
 * and what is known of a good access token (decision 0049). Only what the library would answer with 200 is answered
 * here, and as it would; whatever is unusual, doubtful or wrong is left to it, which alone knows how to refuse.
 */
export function directAnswers(deps: DirectDeps): DirectAnswers {
  return async (ctx, { path, issuer, body, source }) => {
    const door = doors[path];
    if (door?.method !== ctx.method || !isPlain(ctx) || isFapi(source.snapshot)) return false;
    const { isForBrowsers = false } = door;
    // Where an app is leaving nothing begins; and machines bring no query.
    if (isForBrowsers ? source.service !== 'everything' : ctx.req.url!.includes('?')) return false;
    const { snapshot } = source;
    const { appId } = snapshot.app;
    const at = adapterDeps(deps, source, { appId, issuer });
    // Whatever comes of it, and whoever answers.
    ctx.set('cache-control', 'no-store');
    if (!isForBrowsers) ctx.vary('Origin');
    try {
      const unit = new UnitOfWork(appId, () => door.route);
      const answer = await inUnitOfWork(unit, () => door.answer(at, ctx, unit, body));
      if (!answer) return false;
      // Also when another request was faster: what reuse revoked stays revoked.
      const refusal = await unit.commit(deps.db);
      // The session ended meanwhile: for the library it is one that never was.
      if (refusal && isForBrowsers) return false;
      deps.count.answeredDirectly();
      if (refusal) refuseClient(ctx, refusal, { snapshot, pages: deps.pages });
      else if ('redirect' in answer) lead(ctx, answer.redirect);
      else {
        if (answer.grantType !== undefined) deps.count.tokenIssued(answer.grantType);
        ctx.body = answer.body;
      }
    } catch (error) {
      answerFailure({ ...deps, ...at }, ctx, error);
    }
    return true;
  };
}

function lead(ctx: Context, { location, cookies }: Redirect): void {
  ctx.status = 303;
  ctx.redirect(location);
  answerWithoutPage(ctx);
  ctx.set('set-cookie', cookies);
}

/** Nothing that would have to be judged: no script of another site, no proof of a key, no certificate. */
const isPlain = (ctx: Context): boolean =>
  ctx.req.headers.origin === undefined &&
  ctx.req.headers['dpop'] === undefined &&
  stateOf(ctx).clientCertificate === undefined;

type OfClient = { unit: UnitOfWork; form: Form | undefined; answer: AnswerClient | undefined };

async function forClient(
  at: AdapterDeps,
  ctx: Context,
  { unit, form, answer }: OfClient,
): Promise<Record<string, unknown> | undefined> {
  const client = form && answer && clientOf(at, ctx.req.headers.authorization, form);
  if (!client) return undefined;
  unit.author = authorOf(ctx, client.clientId);
  return answer(at, client, form);
}
