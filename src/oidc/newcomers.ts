import type { Context } from 'koa';
import type { AppSnapshot } from '../apps/app.ts';
import {
  admitDocument,
  type DocumentDeps,
  isDocumentGood,
  isDocumentUrl,
} from '../apps/registrations/document.ts';
import type { AppRegistry } from '../apps/registry.ts';
import { clientAddress, networkOf } from '../http/client-address.ts';
import { requireWithin } from '../http/rate-limit.ts';
import { stateOf } from '../http/request-state.ts';
import { isId } from '../kernel/id.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';
import { clientsNamed } from './find-app.ts';
import { type IssuerKind, protocolRoutes } from './issuers.ts';

type Visit = { path: string; issuer: IssuerKind; snapshot: AppSnapshot; body: string | undefined };

/** Whether clients have come since the app was read that this request needs: then it has to be read again. */
export type Newcomers = (ctx: Context, visit: Visit) => Promise<boolean>;

export type NewcomersDeps = DocumentDeps & {
  registry: Pick<AppRegistry, 'recheck'>;
  ephemeral: EphemeralStore;
};

const RECENT_MS = 10_000;
const BEGINNINGS: ReadonlySet<string> = new Set([
  protocolRoutes.authorization,
  protocolRoutes.pushed_authorization_request,
]);

/**
 * Other processes learn of a new client within two seconds; a client that has just registered itself at one of them goes
 * on at once, perhaps at another. And a client_id that is an https address is read there before the library sees it.
 */
export function createNewcomers(deps: NewcomersDeps): Newcomers {
  const reading = new Map<string, Promise<void>>();
  return async (ctx, { path, issuer, snapshot, body }) => {
    const [clientId] = clientsNamed({
      query: new URLSearchParams(ctx.querystring),
      form: body === undefined ? undefined : new URLSearchParams(body),
      authorization: ctx.get('authorization') || undefined,
    });
    if (clientId === undefined) return false;
    const { app, clients } = snapshot;
    const isDocument =
      issuer !== 'shared' &&
      app.settings.client_id_metadata_documents &&
      isDocumentUrl(clientId, deps.outboundAllowedHosts);
    if (isDocument && BEGINNINGS.has(path)) {
      if (await isDocumentGood(deps, { appId: app.appId, clientId })) return look(clients.has(clientId));
      await countReading(deps, ctx, snapshot);
      const name = `${app.appId}\n${clientId}`;
      let work = reading.get(name);
      if (!work) {
        work = readUnlessGood(deps, { appId: app.appId, app, url: clientId, by: authorOf(ctx) });
        reading.set(name, work);
        void work.finally(() => reading.delete(name)).catch(() => {});
      }
      await work;
      return look(false);
    }
    return look(clients.has(clientId) || !(isDocument || isRecent(clientId)));

    function look(known: boolean): boolean {
      if (!known) deps.registry.recheck(app.appId);
      return !known;
    }
  };
}

/** Asks once more, because another request may have read the document while this one was counted. */
async function readUnlessGood(
  deps: NewcomersDeps,
  change: Parameters<typeof admitDocument>[1],
): Promise<void> {
  if (await isDocumentGood(deps, { appId: change.appId, clientId: change.url })) return;
  await admitDocument(deps, change);
}

/** Our ids tell when they were made (RFC 9562 §5.7); an unknown one from long ago costs no question. */
function isRecent(clientId: string): boolean {
  if (!isId('cli', clientId)) return false;
  return Math.abs(Date.now() - Number.parseInt(clientId.slice(4, 16), 16)) < RECENT_MS;
}

/** Whoever opens pages with invented addresses must not aim us at others, nor fill the app with clients. */
async function countReading(deps: NewcomersDeps, ctx: Context, { app }: AppSnapshot): Promise<void> {
  const network = networkOf(clientAddress(ctx));
  const limit = app.settings.registered_clients.per_network_per_hour;
  await requireWithin(deps.ephemeral, {
    appId: app.appId,
    key: `client-document:${network}`,
    limit,
    windowSeconds: 3600,
  });
}

const authorOf = (ctx: Context) => ({
  actor: { type: 'anonymous' } as const,
  address: clientAddress(ctx),
  userAgent: ctx.get('user-agent').slice(0, 512) || undefined,
  requestId: stateOf(ctx).requestId,
});
