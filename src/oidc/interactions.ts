import type { Context } from 'koa';
import { errors, type InteractionResults, type Provider } from 'oidc-provider';
import type { AppRegistry } from '../apps/registry.ts';
import { stateOf } from '../http/request-state.ts';
import { answerWithoutPage } from '../http/security-headers.ts';
import { originOf } from '../http/site.ts';
import { seconds } from '../kernel/duration.ts';
import { Problem } from '../kernel/problem.ts';
import type { AdapterDeps } from './adapters/adapter-deps.ts';
import { interactionKey, type StoredInteraction } from './adapters/interaction-adapter.ts';
import { cookieSigner } from './cookie-signer.ts';
import { narrowCookies, sessionCookieName, shortCookies } from './cookies.ts';
import { PLAIN_PARAMETERS } from './direct/asked.ts';
import { adapterDeps } from './direct/direct.ts';
import { type From, signInEnd } from './direct/sign-in-end.ts';
import { claimsAskedFor } from './features/claims-parameter.ts';
import type { Ending, Interaction, Interactions, SignedIn } from './interaction.ts';
import { addResources } from './grant-hooks.ts';
import { devicePromptOf } from './features/device-flow.ts';
import { askedResources } from './resources.ts';
import { issuerUrl, pagesOrigin } from './issuers.ts';
import { narrowedRequest } from './narrowed-request.ts';
import type { ProviderSource } from './provider-cache.ts';
import { inUnitOfWork, UnitOfWork } from './unit-of-work.ts';

export type InteractionsDeps = Pick<
  AdapterDeps,
  'db' | 'ephemeral' | 'cache' | 'access' | 'rootKeys' | 'mtls'
> & {
  baseUrl: string;
  registry: AppRegistry;
  providers: ProviderSource;
  count: { answeredDirectly(): void };
  log: { warn(fields: object, message: string): void };
};

export const interactionExpired = (): Problem =>
  new Problem({
    code: 'interaction.expired',
    kind: 'expired',
    message: 'This sign-in has expired or was begun in another browser. Please start again at the app.',
  });

/** The library's interactions as the sign-in pages see them. */
export function createInteractions(deps: InteractionsDeps): Interactions {
  return {
    peek: (appId, uid) => peek(deps, appId, uid),
    isHere: (ctx, appId, uid) => isHere(deps, ctx, { appId, uid }),
    async load(ctx, appId, uid, beside) {
      const isIts = isHere(deps, ctx, { appId, uid });
      if (isIts) beside?.();
      const interaction = isIts ? await peek(deps, appId, uid) : undefined;
      if (!interaction || pagesOrigin(deps.baseUrl, interaction.issuer) !== originOf(ctx, deps))
        throw interactionExpired();
      return interaction;
    },
    ending: (ctx, interaction) => ending(deps, ctx, interaction),
    finishConsent: (ctx, interaction) =>
      finish(deps, ctx, interaction, async (provider) => {
        const grant = new provider.Grant({
          accountId: interaction.signedInUserId!,
          clientId: interaction.client.clientId,
        });
        grant.addOIDCScope(String(interaction.params['scope'] ?? ''));
        const claims = claimsAskedFor(interaction.params);
        if (claims.length) grant.addOIDCClaims(claims);
        addResources(grant, interaction.resources);
        return { consent: { grantId: await grant.save() } };
      }),
    finishDevice: (ctx, interaction) =>
      finish(deps, ctx, interaction, () => Promise.resolve({ device: { confirmed: true } })),
    abort: (ctx, interaction) =>
      finish(deps, ctx, interaction, () =>
        Promise.resolve({ error: 'access_denied', error_description: 'the person declined' }),
      ),
  };
}

async function peek(deps: InteractionsDeps, appId: string, uid: string): Promise<Interaction | undefined> {
  const snapshot = await deps.registry.snapshot(appId);
  const found = snapshot && (await deps.ephemeral.read(appId, interactionKey(uid)));
  if (!found) return undefined;
  const { issuer, payload, ttlSeconds = seconds.day } = JSON.parse(found) as StoredInteraction;
  const params = payload.params ?? {};
  const client = snapshot.clients.get(String(params['client_id']));
  if (!client || !payload.prompt) return undefined;
  return {
    appId,
    uid,
    issuer,
    snapshot,
    client,
    prompt: {
      name: payload.prompt.name,
      reasons: payload.prompt.reasons ?? [],
      details: payload.prompt.details ?? {},
    },
    params,
    resources: askedResources(
      { snapshot, issuerUrl: issuerUrl(deps.baseUrl, appId, issuer) },
      client,
      params,
    ),
    signedInUserId: payload.session?.accountId,
    device: devicePromptOf(appId, deps.rootKeys, payload.prompt.details ?? {}),
    sessionUid: payload.session?.uid,
    livesAtMostSeconds: ttlSeconds,
    plainForm: plainFormOf(payload),
  };
}

/** Nothing came with it but a request, nothing was done for it yet, and nobody was signed in. */
const PLAIN_PARTS: ReadonlySet<string> = new Set(['kind', 'iat', 'cid', 'prompt', 'params', 'trusted']);
/** Two that say something to pages alone. */
const PLAIN_PARAMS: ReadonlySet<string> = new Set([...PLAIN_PARAMETERS, 'login_hint', 'ui_locales']);

function plainFormOf(payload: StoredInteraction['payload']): Interaction['plainForm'] {
  const { prompt, params = {}, trusted } = payload;
  const isPlain =
    prompt?.name === 'login' &&
    prompt.reasons?.length === 1 &&
    prompt.reasons[0] === 'no_session' &&
    (trusted === undefined || (Array.isArray(trusted) && trusted.length === 0)) &&
    Object.keys(payload).every((part) => PLAIN_PARTS.has(part)) &&
    Object.entries(params).every(
      ([name, value]) => PLAIN_PARAMS.has(name) && typeof value === 'string' && value !== '',
    );
  return isPlain ? (params as Record<string, string>) : undefined;
}

type At = { appId: string; uid: string };

function cookiesAt(deps: InteractionsDeps, ctx: Context, { appId, uid }: At): string | undefined {
  return narrowCookies(ctx.get('cookie') || undefined, {
    session: sessionCookieName(originOf(ctx, deps), appId),
    appId,
    uid,
  });
}

function isHere(deps: InteractionsDeps, ctx: Context, at: At): boolean {
  const pairs = new Map(
    (cookiesAt(deps, ctx, at) ?? '')
      .split('; ')
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
  );
  const signature = pairs.get(`${shortCookies.interaction}.sig`);
  if (pairs.get(shortCookies.interaction) !== at.uid || signature === undefined) return false;
  return cookieSigner(deps.rootKeys, at.appId).verify(`${shortCookies.interaction}=${at.uid}`, signature);
}

/** Without the library where nothing is left for it to judge (decision 0053). */
async function ending(deps: InteractionsDeps, ctx: Context, interaction: Interaction): Promise<Ending> {
  const { appId, issuer } = interaction;
  const byLibrary = ({ userId, amr, acr, authTimeSeconds }: SignedIn): Promise<void> =>
    finish(deps, ctx, interaction, () =>
      Promise.resolve({
        login: { accountId: userId, amr, acr, ts: authTimeSeconds, remember: true },
      }),
    );
  const source = interaction.plainForm && (await deps.providers.find(appId, issuer));
  const end = source && signInEnd(adapterDeps(deps, source, { appId, issuer }), interaction, fromOf(ctx));
  if (!end) return { writes: undefined, answer: byLibrary };
  return {
    writes: end.writes,
    async answer(signedIn, isBegun) {
      // Who may not sign in any more is told so by the library.
      if (!isBegun) return byLibrary(signedIn);
      const { location, cookies } = await end.redirect(signedIn).catch((err: unknown) => {
        deps.log.warn(
          { err, app_id: appId },
          'the code of a sign-in could not be kept: another is asked for',
        );
        return end.again();
      });
      deps.count.answeredDirectly();
      ctx.append('set-cookie', cookies);
      ctx.redirect(location);
      ctx.status = 303;
      answerWithoutPage(ctx);
    },
  };
}

const fromOf = (ctx: Context): From => ({
  cookies: ctx.req.headers.cookie,
  userAgent: ctx.get('user-agent'),
  address: stateOf(ctx).clientAddress,
});

/**
 * Lets the library record the result with this browser's cookies, commits what that changed, and leads back to the
 * authorization endpoint. The library checks once more that the session the interaction began with still lives.
 */
async function finish(
  deps: InteractionsDeps,
  ctx: Context,
  at: Interaction,
  result: (provider: Provider) => Promise<InteractionResults>,
): Promise<void> {
  const source = await deps.providers.find(at.appId, at.issuer);
  if (!source) throw interactionExpired();
  const request = narrowedRequest({
    original: ctx.req,
    issuerUrl: issuerUrl(deps.baseUrl, at.appId, at.issuer),
    path: '/',
    cookies: cookiesAt(deps, ctx, at),
    body: undefined,
  });
  const unit = new UnitOfWork(at.appId, () => undefined);
  unit.memo.set('session-of-interaction', at.sessionUid);
  const { provider } = source.build();
  const returnTo = await inUnitOfWork(unit, async () =>
    provider
      .interactionResult(request, ctx.res, await result(provider), { mergeWithLastSubmission: true })
      .catch((error: unknown) => {
        throw error instanceof errors.SessionNotFound ? interactionExpired() : error;
      }),
  );
  if (await unit.commit(deps.db)) throw interactionExpired();
  ctx.redirect(returnTo);
  ctx.status = 303;
}
