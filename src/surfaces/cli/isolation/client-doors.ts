import { type Attempt, carried } from './attempt.ts';
import { basic } from './call.ts';
import { authorization, type Door } from './door.ts';
import { optionalClients, optionalGrants, proving } from './optional-doors.ts';
import { type IssuerKind, redemption } from './side.ts';

/** What a grant takes for the credential it is about. */
const GRANTS: Record<string, string[]> = {
  authorization_code: ['code'],
  refresh_token: ['refresh_token'],
  'urn:ietf:params:oauth:grant-type:device_code': ['device_code'],
  'urn:ietf:params:oauth:grant-type:token-exchange': ['subject_token', 'actor_token'],
  'urn:ietf:params:oauth:grant-type:jwt-bearer': ['assertion'],
};

/** The token endpoint. */
export function token(door: Door): Attempt[] {
  const { world, issuer, route, write } = door;
  const { a, b } = world;
  const asB = basic(b.first.clientId, b.first.secret);
  const taken = (['own', 'shared'] as const).flatMap((kind) =>
    [a, b].map(({ redirectUri }) =>
      write({
        credential: `code (${kind})`,
        how: `redeemed by the other app's client for ${redirectUri === a.redirectUri ? 'its own' : "that client's"} redirect URI`,
        fields: redemption({ redirectUri }, a.held[kind]),
        headers: { authorization: asB },
      }),
    ),
  );
  const everything = carried(a).flatMap(({ kind, value, fields }) =>
    Object.entries(GRANTS)
      .filter(([, names]) => names.some((name) => fields.includes(name)))
      .map(([grant_type, names]) =>
        write({
          credential: kind,
          how: `as ${names.join(', ')} of ${grant_type}`,
          fields: {
            grant_type,
            redirect_uri: a.redirectUri,
            code_verifier: a.held.own.verifier,
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            ...Object.fromEntries(names.map((name) => [name, value])),
          },
          headers: { authorization: asB },
        }),
      ),
  );
  // Refused for its method, whatever is in it.
  if (route.method === 'GET') return taken;
  return [...taken, ...everything, ...foreignClients(door, issuer), ...optionalGrants(door)];
}

/** A's clients ask for what is B's. At the shared issuer they are served as A's, and must find nothing of B's. */
function foreignClients({ world, write }: Door, issuer: IssuerKind): Attempt[] {
  const { a, b } = world;
  const { tokens } = b.held[issuer];
  const wanted: Record<string, string>[] = [
    redemption(b, b.held[issuer]),
    { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
  ];
  const clients = [
    { credential: 'client credentials', ...a.first },
    { credential: 'client credentials of a further client', ...a.further },
    { credential: 'service account', ...a.service },
  ];
  return clients.flatMap(({ credential, clientId, secret }) => {
    const authorized = { authorization: basic(clientId, secret) };
    const alone = { grant_type: 'client_credentials', scope: 'orders:read' };
    return [
      ...wanted.map((fields) =>
        write({
          credential,
          how: `for a ${fields['grant_type']} of the other app`,
          fields,
          headers: authorized,
        }),
      ),
      write({
        credential,
        how: 'for an API of the other app',
        fields: { ...alone, resource: b.api },
        headers: authorized,
      }),
      ...(issuer === 'own' ? [write({ credential, how: 'alone', fields: alone, headers: authorized })] : []),
      write({
        credential,
        how: "with the other app's client_id beside",
        fields: { ...alone, client_id: b.service.clientId },
        headers: authorized,
      }),
      write({
        credential,
        how: "its secret for the other app's client",
        fields: alone,
        headers: { authorization: basic(b.service.clientId, secret) },
      }),
      write({
        credential,
        how: "its secret for the other app's client, in the form",
        fields: { ...redemption(b, b.held[issuer]), client_id: b.appId, client_secret: secret },
      }),
    ];
  });
}

/** Endpoints where a client comes by itself, for a person it does not know yet. */
export function asClient(door: Door): Attempt[] {
  const { world, issuer, write } = door;
  const { a, b } = world;
  const asB = { authorization: basic(b.first.clientId, b.first.secret) };
  const wanted = authorization(b);
  const foreign = [a.first, a.further, a.service].flatMap(({ clientId, secret }) => {
    const headers = { authorization: basic(clientId, secret) };
    const credential = clientId === a.service.clientId ? 'service account' : 'client credentials';
    const asked = { ...wanted, client_id: clientId, redirect_uri: a.redirectUri };
    return [
      write({ credential, how: "with the other app's client_id", fields: wanted, headers }),
      write({
        credential,
        how: "its secret for the other app's client",
        fields: wanted,
        headers: { authorization: basic(b.appId, secret) },
      }),
      write({
        credential,
        how: 'for an API of the other app',
        fields: { ...asked, resource: b.api },
        headers,
      }),
      ...(issuer === 'own' ? [write({ credential, how: 'alone', fields: asked, headers })] : []),
    ];
  });
  const mixed = [
    write({
      credential: 'client',
      how: "beside the other app's credentials",
      fields: { ...wanted, client_id: a.appId },
      headers: asB,
    }),
    write({
      credential: 'redirect URI',
      how: "by the other app's client",
      fields: { ...wanted, redirect_uri: a.redirectUri },
      headers: asB,
      allows: 'page',
    }),
  ];
  return [...foreign, ...mixed, ...optionalClients(door)];
}

/** Introspection and revocation. That revoking changed nothing is seen in the state, and in what works afterwards. */
export function aboutTokens(door: Door, allows: 'inactive' | 'nothing'): Attempt[] {
  const { world, issuer, write } = door;
  const { a, b } = world;
  const mine = carried(a).map(({ kind, value }) =>
    write({
      credential: kind,
      how: "asked about by the other app's client",
      fields: { token: value },
      headers: { authorization: basic(b.first.clientId, b.first.secret) },
      allows,
    }),
  );
  const theirs = [
    ...Object.values(b.held.own.tokens),
    ...Object.values(b.held.shared.tokens),
    b.held[issuer].service,
  ];
  const foreign = [a.first, a.further, a.service].flatMap(({ clientId, secret }) =>
    theirs.map((value) =>
      write({
        credential: clientId === a.service.clientId ? 'service account' : 'client credentials',
        how: 'asking about a token of the other app',
        fields: { token: value },
        headers: { authorization: basic(clientId, secret) },
        allows: issuer === 'own' ? 'refusal' : allows,
      }),
    ),
  );
  return [...mine, ...foreign, ...proving(door, { token: b.held[issuer].service })];
}
