import type { Context } from 'koa';
import { stateOf } from '../../http/request-state.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { answerFailure, type FailureDeps } from '../failed-request.ts';
import { isFapi } from '../features/fapi.ts';
import { issuerUrl, type IssuerKind, protocolRoutes } from '../issuers.ts';
import type { Found } from '../provider-cache.ts';
import { inUnitOfWork, UnitOfWork } from '../unit-of-work.ts';
import { clientBySecret } from './client.ts';
import { plainFields } from './form.ts';
import { introspected, introspectionFields } from './introspection.ts';
import { machineToken, machineTokenFields } from './machine-token.ts';
import { userinfo } from './userinfo.ts';

export type DirectDeps = Pick<AdapterDeps, 'db' | 'ephemeral' | 'cache' | 'access' | 'rootKeys' | 'mtls'> &
  Pick<FailureDeps, 'pages' | 'log'> & {
    baseUrl: string;
    count: { tokenIssued(grantType: string): void; answeredDirectly(): void };
  };

type Asked = { path: string; issuer: IssuerKind; body: string | undefined; source: Found };

/** Whether the request has been answered. */
export type DirectAnswers = (ctx: Context, asked: Asked) => Promise<boolean>;

type Answer = Record<string, unknown> | undefined;
type Door = {
  method: string;
  /** The library's name for it. */
  route: string;
  answer(at: AdapterDeps, ctx: Context, body: string | undefined): Promise<Answer>;
};

const doors: Readonly<Record<string, Door>> = {
  [protocolRoutes.token]: {
    method: 'POST',
    route: 'token',
    answer: (at, ctx, body) => forClient(at, ctx, { body, fields: machineTokenFields, answer: machineToken }),
  },
  [protocolRoutes.introspection]: {
    method: 'POST',
    route: 'introspection',
    answer: (at, ctx, body) =>
      forClient(at, ctx, { body, fields: introspectionFields, answer: introspected }),
  },
  [protocolRoutes.userinfo]: {
    method: 'GET',
    route: 'userinfo',
    answer: (at, ctx) => userinfo(at, ctx.get('authorization') || undefined),
  },
};

/**
 * Answers the plainest of what machines ask most without the protocol library: a service account's token, and what is
 * known of a good access token (decision 0049). Only what the library would answer with 200 is answered here, and as it
 * would; whatever is unusual, doubtful or wrong is left to it, which alone knows how to refuse.
 */
export function directAnswers(deps: DirectDeps): DirectAnswers {
  return async (ctx, { path, issuer, body, source }) => {
    const door = doors[path];
    if (door?.method !== ctx.method || !isPlain(ctx) || isFapi(source.snapshot)) return false;
    const { snapshot, ring } = source;
    const { appId } = snapshot.app;
    const at: AdapterDeps = {
      ...deps,
      snapshot,
      appId,
      issuer,
      issuerUrl: issuerUrl(deps.baseUrl, appId, issuer),
      keys: ring.published,
    };
    try {
      const unit = new UnitOfWork(appId, () => door.route);
      const answer = await inUnitOfWork(unit, () => door.answer(at, ctx, body));
      if (!answer) return false;
      if (path === protocolRoutes.token) deps.count.tokenIssued('client_credentials');
      deps.count.answeredDirectly();
      ctx.set('cache-control', 'no-store');
      ctx.vary('Origin');
      ctx.body = answer;
    } catch (error) {
      answerFailure({ ...deps, ...at }, ctx, error);
    }
    return true;
  };
}

/** Nothing that would have to be judged: no script of another site, no proof of a key, no certificate, no query. */
const isPlain = (ctx: Context): boolean =>
  ctx.req.headers.origin === undefined &&
  ctx.req.headers['dpop'] === undefined &&
  stateOf(ctx).clientCertificate === undefined &&
  !ctx.req.url!.includes('?');

type OfClient = {
  body: string | undefined;
  fields: ReadonlySet<string>;
  answer: typeof machineToken | typeof introspected;
};

async function forClient(at: AdapterDeps, ctx: Context, { body, fields, answer }: OfClient): Promise<Answer> {
  const form = plainFields(body, fields);
  const client = form && clientBySecret(at, ctx.req.headers.authorization, form);
  return client && answer(at, client, form);
}
