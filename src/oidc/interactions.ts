import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import type { InteractionResults, Provider } from 'oidc-provider';
import type { AppRegistry } from '../apps/registry.ts';
import { Problem } from '../kernel/problem.ts';
import type { Database } from '../storage/database.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';
import { interactionKey, type StoredInteraction } from './adapters/interaction-adapter.ts';
import { cookieSigner } from './cookie-signer.ts';
import { narrowCookies, sessionCookieName, shortCookies } from './cookies.ts';
import type { Interaction, Interactions } from './interaction.ts';
import { issuerUrl } from './issuers.ts';
import { narrowedRequest } from './narrowed-request.ts';
import type { ProviderSource } from './provider-cache.ts';
import type { RootKeys } from '../kernel/secret.ts';
import { inUnitOfWork, UnitOfWork } from './unit-of-work.ts';

export type InteractionsDeps = {
  baseUrl: string;
  db: Database;
  ephemeral: EphemeralStore;
  registry: AppRegistry;
  providers: ProviderSource;
  rootKeys: RootKeys;
};

export const interactionExpired = (): Problem =>
  new Problem({ code: 'interaction.expired', kind: 'expired', message: 'This sign-in has expired or was begun in another browser. Please start again at the app.' });

/** The library's interactions as the sign-in pages see them. */
export function createInteractions(deps: InteractionsDeps): Interactions {
  const peek = async (appId: string, uid: string): Promise<Interaction | undefined> => {
    const snapshot = await deps.registry.snapshot(appId);
    if (!snapshot) return undefined;
    const found = await deps.ephemeral.get(appId, interactionKey(uid));
    if (!found) return undefined;
    const { issuer, payload } = JSON.parse(found.value) as StoredInteraction;
    const params = payload.params ?? {};
    const client = snapshot.clients.get(String(params['client_id']));
    if (!client || !payload.prompt) return undefined;
    return {
      appId,
      uid,
      issuer,
      snapshot,
      client,
      prompt: { name: payload.prompt.name, reasons: payload.prompt.reasons ?? [], details: payload.prompt.details ?? {} },
      params,
      signedInUserId: payload.session?.accountId,
      sessionUid: payload.session?.uid,
      expiresInSeconds: found.remainingSeconds,
    };
  };

  const isHere = (ctx: Context, appId: string, uid: string): boolean => {
    const pairs = new Map(
      (narrowCookies(ctx.get('cookie') || undefined, { session: sessionCookieName(deps.baseUrl, appId), appId, uid }) ?? '')
        .split('; ')
        .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
    );
    const signature = pairs.get(`${shortCookies.interaction}.sig`);
    return pairs.get(shortCookies.interaction) === uid && signature !== undefined && cookieSigner(deps.rootKeys, appId).verify(`${shortCookies.interaction}=${uid}`, signature);
  };

  /** Runs the library with this browser's cookies and commits what it changed. */
  const withProvider = async <T>(ctx: Context, at: Interaction, work: (provider: Provider, request: IncomingMessage) => Promise<T>): Promise<T> => {
    const source = await deps.providers.find(at.appId, at.issuer);
    if (!source) throw interactionExpired();
    const request = narrowedRequest({
      original: ctx.req,
      issuerUrl: issuerUrl(deps.baseUrl, at.appId, at.issuer),
      path: '/',
      cookies: narrowCookies(ctx.get('cookie') || undefined, { session: sessionCookieName(deps.baseUrl, at.appId), appId: at.appId, uid: at.uid }),
      body: undefined,
    });
    const unit = new UnitOfWork(at.appId);
    unit.memo.set('session-of-interaction', at.sessionUid);
    const result = await inUnitOfWork(unit, () => work(source.provider, request));
    if (await unit.commit(deps.db)) throw interactionExpired();
    return result;
  };

  /** The library checks once more that the cookie fits and that the session the interaction began with still lives. */
  const finish = async (ctx: Context, at: Interaction, result: (provider: Provider) => Promise<InteractionResults>): Promise<void> => {
    const returnTo = await withProvider(ctx, at, async (provider, request) =>
      provider.interactionResult(request, ctx.res, await result(provider), { mergeWithLastSubmission: true }).catch((error: unknown) => {
        throw error instanceof Error && error.name === 'SessionNotFound' ? interactionExpired() : error;
      }),
    );
    ctx.redirect(returnTo);
    ctx.status = 303;
  };

  return {
    peek,
    isHere,
    async load(ctx, appId, uid) {
      if (!isHere(ctx, appId, uid)) throw interactionExpired();
      const interaction = await peek(appId, uid);
      if (!interaction) throw interactionExpired();
      return interaction;
    },
    finishLogin: (ctx, interaction, { userId, amr, acr, authTimeSeconds }) =>
      finish(ctx, interaction, () => Promise.resolve({ login: { accountId: userId, amr, ...(acr ? { acr } : {}), ts: authTimeSeconds, remember: true } })),
    finishConsent: (ctx, interaction) =>
      finish(ctx, interaction, async (provider) => {
        const grant = new provider.Grant({ accountId: interaction.signedInUserId!, clientId: interaction.client.clientId });
        grant.addOIDCScope(String(interaction.params['scope'] ?? ''));
        return { consent: { grantId: await grant.save() } };
      }),
    abort: (ctx, interaction) => finish(ctx, interaction, () => Promise.resolve({ error: 'access_denied', error_description: 'the person declined' })),
  };
}
