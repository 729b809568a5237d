import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { z } from 'zod';
import type { AppSnapshot } from '../../apps/app.ts';
import type { AppsDeps } from '../../apps/change-app.ts';
import { presentRegistration } from '../../apps/registrations/present.ts';
import {
  deregisterClient,
  managedClient,
  registerClient,
  updateRegistration,
} from '../../apps/registrations/register.ts';
import type { AppRegistry } from '../../apps/registry.ts';
import type { Author } from '../../events/author.ts';
import { jsonBody } from '../../http/bodies.ts';
import { clientAddress, networkOf } from '../../http/client-address.ts';
import { requireWithin } from '../../http/rate-limit.ts';
import { stateOf } from '../../http/request-state.ts';
import { originOf } from '../../http/site.ts';
import { Problem } from '../../kernel/problem.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';

export type RegistrationDeps = AppsDeps & {
  registry: AppRegistry;
  ephemeral: EphemeralStore;
  baseUrl: string;
};

type Params = { app_id: string; client_id: string };
type Visit = { ctx: Context; deps: RegistrationDeps; snapshot: AppSnapshot; clientId: string };

const PATH = '/auth/:app_id/clients/register';

/** Dynamic registration (RFC 7591) and its management (RFC 7592), for apps that have switched it on; others have no such door. */
export function registrationRoutes(deps: RegistrationDeps): Middleware {
  const router = new Router();
  router.post(PATH, visiting(deps, register));
  router.get(`${PATH}/:client_id`, visiting(deps, read));
  router.put(`${PATH}/:client_id`, visiting(deps, change));
  router.delete(`${PATH}/:client_id`, visiting(deps, end));
  return router.routes() as unknown as Middleware;
}

function visiting(deps: RegistrationDeps, work: (visit: Visit) => Promise<void>) {
  return async (ctx: Context & { params: Params }, next: () => Promise<void>): Promise<void> => {
    const { app_id: appId, client_id: clientId } = ctx.params;
    const snapshot = await deps.registry.snapshot(appId);
    if (!snapshot || snapshot.app.settings.dynamic_registration === 'off') return next();
    ctx.set('cache-control', 'no-store');
    allowOrigin(ctx, snapshot);
    try {
      await work({ ctx, deps, snapshot, clientId });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refuse(ctx, error);
    }
  };
}

async function register({ ctx, deps, snapshot }: Visit): Promise<void> {
  const { app } = snapshot;
  const network = networkOf(clientAddress(ctx));
  const limit = app.settings.registered_clients.per_network_per_hour;
  await requireWithin(deps.ephemeral, {
    appId: app.appId,
    key: `register:${network}`,
    limit,
    windowSeconds: 3600,
  });
  const { client, secret, registrationToken } = await registerClient(deps, {
    appId: app.appId,
    by: authorOf(ctx),
    metadata: await jsonBody(ctx),
    initialToken: bearerOf(ctx),
  });
  ctx.status = 201;
  ctx.body = presentRegistration(client, {
    registrationToken,
    secret,
    registrationUri: registrationUri(ctx, deps, client),
  });
}

async function read(visit: Visit): Promise<void> {
  const { ctx, deps } = visit;
  const managed = managedOf(visit);
  const client = await managedClient(deps, managed);
  ctx.body = presentRegistration(client, {
    registrationToken: managed.token,
    registrationUri: registrationUri(ctx, deps, client),
  });
}

const updateSchema = z.looseObject({ client_id: z.string() });
/** RFC 7592 §2.2: what the server alone says. */
const OURS = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
];

async function change(visit: Visit): Promise<void> {
  const { ctx, deps, clientId } = visit;
  const managed = managedOf(visit);
  await managedClient(deps, managed);
  const metadata = updateSchema.safeParse(await jsonBody(ctx)).data;
  const foreign = OURS.find((name) => metadata?.[name] !== undefined);
  if (metadata?.client_id !== clientId || foreign !== undefined) {
    ctx.status = 400;
    ctx.body = {
      error: 'invalid_client_metadata',
      error_description: `${foreign ?? 'client_id'} is not what this request is for`,
    };
    return;
  }
  const client = await updateRegistration(deps, { ...managed, by: authorOf(ctx, clientId), metadata });
  ctx.body = presentRegistration(client, {
    registrationToken: managed.token,
    registrationUri: registrationUri(ctx, deps, client),
  });
}

async function end(visit: Visit): Promise<void> {
  const { ctx, deps, clientId } = visit;
  await deregisterClient(deps, { ...managedOf(visit), by: authorOf(ctx, clientId) });
  ctx.status = 204;
}

const registrationUri = (
  ctx: Context,
  deps: RegistrationDeps,
  client: { appId: string; clientId: string },
): string => `${originOf(ctx, deps)}/auth/${client.appId}/clients/register/${client.clientId}`;

const managedOf = ({ ctx, snapshot, clientId }: Visit) => ({
  appId: snapshot.app.appId,
  clientId,
  // Without one it is refused like a wrong one.
  token: bearerOf(ctx) ?? '',
});

const bearerOf = (ctx: Context): string | undefined =>
  /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(ctx.get('authorization'))?.[1];

const authorOf = (ctx: Context, clientId?: string): Author => ({
  actor: clientId === undefined ? { type: 'anonymous' } : { type: 'client', id: clientId },
  address: clientAddress(ctx),
  userAgent: ctx.get('user-agent').slice(0, 512) || undefined,
  requestId: stateOf(ctx).requestId,
});

/** Pages of the app's own origins may register; nobody's credentials are involved. */
function allowOrigin(ctx: Context, { app, clients }: AppSnapshot): void {
  const origin = ctx.get('origin');
  if (!origin) return;
  ctx.vary('origin');
  if (clients.get(app.appId)?.allowedOrigins.includes(origin)) ctx.set('access-control-allow-origin', origin);
}

/** RFC 7591 §3.2.2, RFC 6750 §3. */
function refuse(ctx: Context, problem: Problem): void {
  // What does not fit the app's profile is a conflict to operators; to the client it is metadata that will not do.
  ctx.status = problem.kind === 'conflict' ? 400 : problem.status;
  if (problem.kind === 'unauthenticated') ctx.set('www-authenticate', 'Bearer error="invalid_token"');
  if (problem.retryAfterSeconds !== undefined) ctx.set('retry-after', String(problem.retryAfterSeconds));
  ctx.body = { error: errorOf(problem), error_description: inAscii(problem.message) };
}

/** RFC 7591 §3.2.2 wants ASCII. */
const inAscii = (text: string): string => text.replaceAll('§', 'section ').replaceAll(/[^\x20-\x7e]/g, '?');

function errorOf({ kind, code, field }: Problem): string {
  if (kind === 'unauthenticated') return 'invalid_token';
  if (kind === 'forbidden' || kind === 'limited') return 'access_denied';
  if (kind === 'unavailable') return 'temporarily_unavailable';
  const isRedirect = code === 'clients.redirect_uri_invalid' || field?.startsWith('redirect_uris');
  return isRedirect ? 'invalid_redirect_uri' : 'invalid_client_metadata';
}
