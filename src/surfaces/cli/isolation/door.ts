import type { Route } from '../../../http/route-table.ts';
import type { Attempt, Parts, World } from './attempt.ts';
import { challengeOf, type IssuerKind, random, SCOPE, type Side } from './side.ts';

/** One endpoint of the standards, at B's own issuer or at the shared one with B's client. */
export type Door = {
  world: World;
  route: Route;
  issuer: IssuerKind;
  url: string;
  write(parts: Parts): Attempt;
};
/** The authorization request of an app's first client. */
export const authorization = (side: Side): Record<string, string> => ({
  client_id: side.appId,
  response_type: 'code',
  redirect_uri: side.redirectUri,
  scope: SCOPE,
  state: 'crossing',
  nonce: 'crossing',
  code_challenge: challengeOf(random()),
  code_challenge_method: 'S256',
});
