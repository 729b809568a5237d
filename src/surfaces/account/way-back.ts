import { type AppSnapshot, isSelfAsserted } from '../../apps/app.ts';

/** The address an application asked to be led back to, and the application that may be led to there. */
export type WayBack = { clientId: string; name: string; returnTo: string };

type Asked = { client_id?: unknown; return_to?: unknown };

/**
 * Only an address that the application is registered with, to the letter (RFC 9700 §4.11.2): whatever else a link asks
 * for is as if it had not been there. Not for programs that introduced themselves: nobody vouches for their names.
 */
export function wayBackOf(
  { clients }: Pick<AppSnapshot, 'clients'>,
  { client_id: clientId, return_to: returnTo }: Asked,
): WayBack | undefined {
  if (typeof clientId !== 'string' || typeof returnTo !== 'string') return undefined;
  const client = clients.get(clientId);
  if (!client || client.disabledAt || isSelfAsserted(client)) return undefined;
  const { redirectUris, postLogoutRedirectUris, settings } = client;
  const known = [...redirectUris, ...postLogoutRedirectUris, ...settings.return_uris];
  return known.includes(returnTo) ? { clientId, name: client.name, returnTo } : undefined;
}

/** As the links between the pages carry it on. */
export const fieldsOfWayBack = (way: WayBack | undefined): Record<string, string> =>
  way === undefined ? {} : { client_id: way.clientId, return_to: way.returnTo };

/** One word for the `state` of a sign-in; what comes back of it is asked for anew, so it need not be trusted. */
export const wordOfWayBack = (way: WayBack): string =>
  Buffer.from(JSON.stringify(fieldsOfWayBack(way))).toString('base64url');

export function askedByWord(word: string | undefined): Asked {
  if (word === undefined || word.length > 8192) return {};
  try {
    const asked: unknown = JSON.parse(Buffer.from(word, 'base64url').toString());
    return typeof asked === 'object' && asked !== null ? (asked as Asked) : {};
  } catch {
    return {};
  }
}
