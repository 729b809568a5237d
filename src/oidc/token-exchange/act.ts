import { errors } from 'oidc-provider';
import type { Client, ClientSettings } from '../../apps/app.ts';
import type { Presented } from './presented-token.ts';

/** Who acts, and behind them who acted before (RFC 8693 §4.1). */
export type Act = { sub: string; act?: Act };

/** What is known of an exchange so far, for the trail. */
export type Seen = { subject?: Presented; act?: Act | undefined; target?: string };

/** So many may stand one behind the other: a token is not a log. */
const MOST_ACTORS = 4;

type Policy = NonNullable<ClientSettings['token_exchange']>;

/**
 * Who acts: the subject of the actor token, or without one the client itself, and nobody (impersonation: the token
 * does not show that it was exchanged, but for its client) where the client may do that.
 */
export function actorOf(at: {
  client: Client;
  policy: Policy;
  actor: Presented | undefined;
}): { sub: string } | undefined {
  const { client, policy, actor } = at;
  if (!actor && policy.impersonate) return undefined;
  if (!policy.delegate) throw new errors.UnauthorizedClient();
  if (!actor) return { sub: client.clientId };
  // An actor's token proves the actor only in the hands of the client that it was given to.
  if (actor.claims['client_id'] !== client.clientId)
    throw new errors.InvalidRequest('actor_token was not issued to this client');
  return { sub: String(actor.claims.sub) };
}

/** The newest actor in front. What stood in the subject token stays, with an actor or without. */
export function chainOf(actor: { sub: string } | undefined, before: unknown): Act | undefined {
  const earlier = isAct(before) ? before : undefined;
  const chain = actor ? { sub: actor.sub, ...(earlier ? { act: earlier } : {}) } : earlier;
  let length = 0;
  for (let link: Act | undefined = chain; link; link = link.act) length += 1;
  if (length > MOST_ACTORS) throw new errors.InvalidRequest('too many have acted with this token');
  return chain;
}

const isAct = (value: unknown): value is Act =>
  typeof value === 'object' && value !== null && 'sub' in value && typeof value.sub === 'string';

const acts = new WeakMap<object, Act>();

export const setAct = (token: object, act: Act): void => void acts.set(token, act);

/** The `act` claim of a token that an exchange made (RFC 8693 §4.1). */
export const actClaims = (token: object): { act?: Act } => {
  const act = acts.get(token);
  return act ? { act } : {};
};
