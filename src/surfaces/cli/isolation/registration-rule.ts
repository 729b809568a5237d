import type { Route } from '../../../http/route-table.ts';
import { type Attempt, attempt, carried, fill, type World } from './attempt.ts';
import { basic } from './call.ts';
import type { Side } from './side.ts';

const REGISTRATION = '/auth/:app_id/clients/register';

/** Attempts at dynamic registration, which is open to holders of an initial access token in both apps. */
export function registrationRule(world: World, route: Route): Attempt[] | undefined {
  if (route.path === REGISTRATION) return at(world, route, world.b, undefined);
  if (route.path !== `${REGISTRATION}/:client_id`) return undefined;
  const { a, b } = world;
  return [
    ...at(world, route, b, b.registration.clientId),
    ...at(world, route, b, a.registration.clientId),
    ...at(world, route, a, b.registration.clientId),
  ];
}

/** Everything of A as the bearer at one app's registration, of a new client or of the one named. */
function at(world: World, route: Route, { appId }: Side, clientId: string | undefined): Attempt[] {
  const { a, baseUrl } = world;
  const url = baseUrl + fill(route.path, { app_id: appId, client_id: clientId ?? '' })!;
  const whose =
    clientId === a.registration.clientId ? "for its own app's client" : "for the other app's client";
  const how = `${appId === a.appId ? 'at its own app' : 'at the other app'}, ${clientId === undefined ? 'for a new client' : whose}`;
  const json = {
    redirect_uris: [a.redirectUri],
    client_name: 'Crossing',
    ...(clientId === undefined ? {} : { client_id: clientId }),
  };
  const body = route.method === 'POST' || route.method === 'PUT' ? { json } : {};
  const bearers = carried(a).map(({ kind, value }) =>
    attempt(
      { route, url },
      {
        credential: kind,
        how: `as bearer ${how}`,
        headers: { authorization: `Bearer ${value}` },
        ...body,
      },
    ),
  );
  const client = attempt(
    { route, url },
    {
      credential: 'client credentials',
      how: `by Basic ${how}`,
      headers: { authorization: basic(a.first.clientId, a.first.secret) },
      ...body,
    },
  );
  return [...bearers, client];
}
