import { type AccessToken, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import type { AppSnapshot, Client } from '../../apps/app.ts';
import { isConfidential } from '../../apps/app.ts';
import { exchangeGrant } from '../features/token-exchange.ts';
import { epochSeconds } from '../adapters/adapter-deps.ts';
import { resourceOf } from '../resources.ts';
import { type Act, actorOf, chainOf, type Seen, setAct } from './act.ts';
import { recordExchange } from './audit.ts';
import { type Presented, presentedToken } from './presented-token.ts';

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

const PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
];

type Deps = { snapshot: AppSnapshot; issuerUrl: string };

/** Token exchange (RFC 8693): access tokens of this app at this issuer, for access tokens that can do less and end sooner. */
export function registerTokenExchange(provider: Provider, deps: Deps): void {
  if (!deps.snapshot.app.settings.features.token_exchange) return;
  provider.registerGrantType(
    exchangeGrant,
    async (ctx: KoaContextWithOIDC) => {
      const seen: Seen = {};
      try {
        await exchange(ctx, deps, seen);
        recordExchange(deps.snapshot.app.appId, { ...seen, refused: undefined });
      } catch (error) {
        // Also what is refused is worth knowing, most of all when it is tried again and again.
        if (error instanceof errors.OIDCProviderError)
          recordExchange(deps.snapshot.app.appId, { ...seen, refused: error });
        throw error;
      }
    },
    PARAMETERS,
  );
}

async function exchange(ctx: KoaContextWithOIDC, deps: Deps, seen: Seen): Promise<void> {
  const client = deps.snapshot.clients.get(ctx.oidc.client!.clientId)!;
  const policy = client.settings.token_exchange;
  if (!policy || !isConfidential(client)) throw new errors.UnauthorizedClient();
  const params = ctx.oidc.params as Record<string, string | undefined>;
  requireTypes(params);
  requireNoProof(ctx);
  const subject = await presentedToken(ctx, params['subject_token']!, 'subject_token');
  seen.subject = subject;
  if (!subject.token.accountId) throw refused('subject_token is not one of a user');
  requireAudienceOf(subject, client, deps.snapshot);
  const actor =
    params['actor_token'] === undefined
      ? undefined
      : await presentedToken(ctx, params['actor_token'], 'actor_token');
  const act = actorOf({ client, policy, actor });
  requireMayAct(subject, act, client);
  seen.act = chainOf(act, subject.claims['act']);
  const target = targetOf(deps, client, { asked: params, subject });
  seen.target = target.audience;
  const scope = scopeOf(params['scope'], subject, target.scopes);
  await issue(ctx, { subject, target, scope, act: seen.act, actor });
}

/** RFC 8693 §2.1. Anything but an access token, in or out, is refused. */
function requireTypes(params: Record<string, string | undefined>): void {
  if (!params['subject_token']) throw refused('missing required parameter subject_token');
  if (params['subject_token_type'] !== ACCESS_TOKEN)
    throw refused('subject_token_type must be an access token');
  if ((params['actor_token'] === undefined) !== (params['actor_token_type'] === undefined))
    throw refused('actor_token and actor_token_type come together');
  if (params['actor_token_type'] !== undefined && params['actor_token_type'] !== ACCESS_TOKEN)
    throw refused('actor_token_type must be an access token');
  const wanted = params['requested_token_type'];
  if (wanted !== undefined && wanted !== ACCESS_TOKEN)
    throw refused('requested_token_type must be an access token');
}

/** What comes out would not be bound to the client's key: those who demand that are not served by less. */
function requireNoProof(ctx: KoaContextWithOIDC): void {
  const { client } = ctx.oidc;
  if (client?.['dpopBoundAccessTokens'] || client?.['tlsClientCertificateBoundAccessTokens'])
    throw refused('sender-constrained tokens can not be exchanged');
}

/** Who was handed a token may hand it on: its own client, the app's, and the API that it was made for. */
function requireAudienceOf(subject: Presented, client: Client, { app, apis }: AppSnapshot): void {
  const { aud } = subject.claims;
  if (aud === app.appId || subject.claims['client_id'] === client.clientId) return;
  const api = [...apis.values()].find((one) => one.identifier === aud);
  if (!api?.serverClients.includes(client.clientId))
    throw refused('subject_token was not made for this client');
}

/** RFC 8693 §4.4: a token that says who may act with it means it, with and without a trace. */
function requireMayAct(subject: Presented, act: Act | undefined, client: Client): void {
  const mayAct = subject.claims['may_act'];
  if (mayAct === undefined) return;
  const allowed = (mayAct as { sub?: unknown } | null)?.sub;
  if (typeof allowed !== 'string' || allowed !== (act?.sub ?? client.clientId))
    throw refused('may_act of the subject_token names somebody else');
}

type Target = { audience: string; scopes: Set<string>; accessTokenTTL: number; identifier: string };

/** One target, of this app, that the operator allows this client. Without one it is where the subject token was for. */
function targetOf(
  { snapshot, issuerUrl }: Deps,
  client: Client,
  { asked, subject }: { asked: Record<string, string | undefined>; subject: Presented },
): Target {
  const { resource, audience } = asked;
  if (resource !== undefined && audience !== undefined && resource !== audience)
    throw new errors.InvalidTarget();
  const wanted = resource ?? audience ?? String(subject.claims['aud']);
  const { appId, settings } = snapshot.app;
  const allowed = client.settings.token_exchange?.audiences ?? [];
  if (!allowed.includes(wanted)) throw new errors.InvalidTarget();
  if (wanted === appId)
    return {
      audience: appId,
      identifier: `urn:latchkey:app:${appId}`,
      // Nothing that is about the person's own session: neither who they are nor staying connected.
      scopes: new Set(client.scopes),
      accessTokenTTL: settings.access_token_ttl,
    };
  const everything = { ...client, settings: { ...client.settings, api_scopes: null }, type: 'web' as const };
  const found = resourceOf({ snapshot, issuerUrl }, everything, wanted);
  if (!found?.api) throw new errors.InvalidTarget();
  return {
    audience: found.api.identifier,
    identifier: wanted,
    scopes: new Set((found.info.scope ?? '').split(' ').filter(Boolean)),
    accessTokenTTL: found.info.accessTokenTTL ?? settings.access_token_ttl,
  };
}

/** Never more than the subject token has, nor than the target knows. */
function scopeOf(asked: string | undefined, subject: Presented, target: Set<string>): string {
  const has = new Set(subject.token.scopes);
  if (asked === undefined) return [...has].filter((scope) => target.has(scope)).join(' ');
  const wanted = [...new Set(asked.split(' '))];
  const tooMuch = wanted.filter((scope) => !has.has(scope) || !target.has(scope));
  if (tooMuch.length) throw new errors.InvalidScope('requested scope is not allowed', tooMuch.join(' '));
  return wanted.join(' ');
}

type Issue = {
  subject: Presented;
  actor: Presented | undefined;
  target: Target;
  scope: string;
  act: Act | undefined;
};

/** Hangs on the subject's grant and session, so that it ends with them, and on neither a refresh nor an ID token. */
async function issue(ctx: KoaContextWithOIDC, { subject, actor, target, scope, act }: Issue): Promise<void> {
  const { provider } = ctx.oidc;
  const left = Math.min(
    ...[subject, actor].flatMap((one) => (one ? [one.claims.exp! - epochSeconds()] : [])),
  );
  if (left < 1) throw refused('subject_token is about to expire');
  const { sid } = subject.claims;
  const token = new provider.AccessToken({
    accountId: subject.token.accountId,
    client: ctx.oidc.client!,
    grantId: String(subject.claims['gid']),
    gty: 'token_exchange',
    expiresIn: Math.min(target.accessTokenTTL, left),
    ...(typeof sid === 'string' ? { sid } : {}),
    ...(scope ? { scope } : {}),
  } as unknown as ConstructorParameters<typeof AccessToken>[0]);
  token.resourceServer = new provider.ResourceServer(target.identifier, {
    scope: [...target.scopes].join(' '),
    audience: target.audience,
    accessTokenFormat: 'jwt',
    jwt: { sign: {} },
  });
  if (act) setAct(token, act);
  ctx.oidc.entity('AccessToken', token);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: token.expiration,
    ...(scope ? { scope } : {}),
  };
}

/** RFC 8693 §2.2.2: whatever is wrong with a token is `invalid_request`. */
const refused = (why: string): errors.InvalidRequest => new errors.InvalidRequest(why);
