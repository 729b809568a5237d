import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { fileBody } from '../../http/file-body.ts';
import { stateOf } from '../../http/request-state.ts';
import { answering, routesNamed } from '../../http/route-table.ts';
import { type Authenticate, breakGlass } from './authenticate.ts';
import type { AdminApiDeps } from './deps.ts';
import { docsPage } from './docs-page.ts';
import { noSuchRoute, scopeMissing } from './errors.ts';
import { type Answer, once } from './idempotency/once.ts';
import { type OpenApi, openApiOf } from './openapi.ts';
import type { Operation } from './operation.ts';
import { adminOperations } from './operations.ts';
import { handled } from './read-from.ts';
import { bodyText, readRequest } from './read-request.ts';

export type AdminApi = { middleware: Middleware; operations: readonly Operation[] };

export const PREFIX = '/api/v1';

/** Everything below /api. Deny by default: only the description of the API is public. */
export function createAdminApi(deps: AdminApiDeps): AdminApi {
  const operations = adminOperations(deps);
  const authenticate = breakGlass(deps);
  // Hundreds of schemas, which nobody may ever ask for.
  let described: OpenApi | undefined;
  const openApi = (): OpenApi => (described ??= openApiOf(operations, deps.baseUrl));
  const router = new Router();
  router.get(`${PREFIX}/openapi.json`, (ctx) => {
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.body = openApi();
  });
  router.get('/api/docs', docsPage(deps, openApi));
  for (const operation of operations) {
    router.register(
      pathOf(operation),
      operation.method === 'GET' ? ['GET', 'HEAD'] : [operation.method],
      (ctx) => perform({ deps, authenticate, operation }, ctx),
    );
  }
  const routes = router.routes();
  const table = [
    ...routesNamed([`GET ${PREFIX}/openapi.json`, 'GET /api/docs']),
    ...operations.map((one) => ({ method: one.method, path: pathOf(one), example: one.example })),
  ];
  return {
    operations,
    middleware: answering(async (ctx, next) => {
      if (!/^\/api(?:\/|$)/.test(ctx.path)) return next();
      // The types of the router's context are its own; the object is the same.
      await routes(ctx as never, () => refuseUnrouted(ctx, authenticate));
    }, table),
  };
}

const pathOf = ({ path }: Operation): string => PREFIX + path.replaceAll(/\{(\w+)\}/g, ':$1');

async function perform(
  at: { deps: AdminApiDeps; authenticate: Authenticate; operation: Operation },
  ctx: Context & { params: Record<string, string> },
): Promise<void> {
  const { deps, authenticate, operation } = at;
  const operator = await authenticate(ctx);
  if (!operator.may(operation.scope)) throw scopeMissing(operation.scope);
  const call = await readRequest(ctx, ctx.params, operation, operator.author);
  if (operation.file) call.body = await fileBody(ctx, operation.file);
  const work = async (): Promise<Answer> => ({
    status: operation.response?.status ?? 204,
    body: (await handled(deps, operation, call)) ?? null,
  });
  const idempotencyKey = ctx.get('idempotency-key');
  if (operation.method === 'GET' || idempotencyKey === '') return send(ctx, await work());
  const { type, id = '' } = operator.author.actor;
  const sent = Buffer.isBuffer(call.body) ? call.body.toString('base64') : await bodyText(ctx);
  const request = [ctx.method, ctx.path, ctx.querystring, sent];
  const { replayed, ...answer } = await once(
    deps,
    { caller: `${type}:${id}`, idempotencyKey, request },
    work,
  );
  if (replayed) ctx.set('Idempotency-Replayed', 'true');
  send(ctx, answer);
}

function send(ctx: Context, answer: Answer): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.status = answer.status;
  if (answer.status !== 204) ctx.body = answer.body;
}

/** What no route answers: 401 to strangers, then 405 where another method would do, else 404. */
async function refuseUnrouted(ctx: Context, authenticate: Authenticate): Promise<void> {
  await authenticate(ctx);
  const matched = (ctx as { matched?: { methods: string[] }[] }).matched ?? [];
  const allowed = [...new Set(matched.flatMap((layer) => layer.methods))].sort();
  if (allowed.length === 0) throw noSuchRoute();
  ctx.status = 405;
  ctx.set('Allow', allowed.join(', '));
  ctx.set('Cache-Control', 'no-store');
  ctx.type = 'application/problem+json';
  const detail = `${ctx.method} is not possible here; ${allowed.join(', ')} would be.`;
  ctx.body = JSON.stringify({
    type: 'about:blank',
    title: 'Method Not Allowed',
    status: 405,
    code: 'request.method_not_allowed',
    detail,
    request_id: stateOf(ctx).requestId,
  });
}
