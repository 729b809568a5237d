import { type Attempt, attempt } from './attempt.ts';
import { basic } from './call.ts';
import { authorization, type Door } from './door.ts';
import { DEVICE_GRANT, exchangeOf } from './optional.ts';
import { assertion, dpopProof } from './proofs.ts';
import { issuers, issuerUrl } from './side.ts';

/** The token endpoint: codes of devices, tokens to exchange, and clients that prove themselves with a key. */
export function optionalGrants(door: Door): Attempt[] {
  const { world, issuer, write } = door;
  const { a, b } = world;
  const poll = (deviceCode: string, client: string) => ({
    grant_type: DEVICE_GRANT,
    device_code: deviceCode,
    client_id: client,
  });
  const codes = issuers.map((kind) =>
    write({
      credential: `device code (${kind})`,
      how: "by the other app's device",
      fields: poll(a.optional.held[kind].deviceCode, b.optional.device),
    }),
  );
  const foreign = write({
    credential: 'device',
    how: 'for a device code of the other app',
    fields: poll(b.optional.held[issuer].deviceCode, a.optional.device),
  });
  const gateway = ({ clientId, secret }: { clientId: string; secret: string }) => ({
    authorization: basic(clientId, secret),
  });
  const exchanged = issuers.flatMap((kind) => {
    const more = a.optional.held[kind];
    const { tokens, service } = a.held[kind];
    return [
      [`access token (${kind})`, tokens.access_token] as const,
      [`exchanged token (${kind})`, more.exchanged] as const,
      [`DPoP-bound token (${kind})`, more.bound] as const,
      [`service account token (${kind})`, service] as const,
    ].flatMap(([credential, token]) =>
      [
        { how: "exchanged by the other app's client", fields: exchangeOf(token) },
        {
          how: "as actor of an exchange by the other app's client",
          fields: {
            ...exchangeOf(b.held[issuer].tokens.access_token),
            actor_token: token,
            actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          },
        },
      ].map(({ how, fields }) => write({ credential, how, fields, headers: gateway(b.optional.gateway) })),
    );
  });
  const foreignGateway = write({
    credential: 'gateway',
    how: 'exchanging a token of the other app',
    fields: exchangeOf(b.held[issuer].tokens.access_token),
    headers: gateway(a.optional.gateway),
  });
  return [
    ...codes,
    foreign,
    ...exchanged,
    foreignGateway,
    ...proving(door, { grant_type: 'client_credentials', scope: 'orders:read' }),
  ];
}

/** A's key as the key of B's client, and at B's own issuer A's client by its own name. */
export function proving({ world, issuer, write }: Door, fields: Record<string, string>): Attempt[] {
  const { a, b, baseUrl } = world;
  const audience = issuerUrl(baseUrl, b.appId, issuer);
  const own = issuerUrl(baseUrl, a.appId, 'own');
  const { key } = a.optional;
  const allows = fields['token'] === undefined ? 'refusal' : undefined;
  const tried = [
    { how: "for the other app's client", clientId: b.optional.prover, audience },
    { how: "for the other app's client, as at its own app", clientId: b.optional.prover, audience: own },
    ...(issuer === 'own'
      ? [
          { how: 'for its own client', clientId: a.optional.prover, audience },
          { how: 'for its own client, as at its own app', clientId: a.optional.prover, audience: own },
        ]
      : []),
  ];
  return tried.map(({ how, ...claims }) =>
    write({
      credential: 'client assertion',
      how,
      fields: { ...fields, ...assertion(key, claims) },
      ...(allows ? { allows } : {}),
    }),
  );
}

/** Pushing a request, and asking for a device. */
export function optionalClients(door: Door): Attempt[] {
  const { world, issuer, write } = door;
  const { a, b } = world;
  const asDevice = write({
    credential: 'device',
    how: 'by its client_id',
    fields: { client_id: a.optional.device, scope: 'openid' },
  });
  return [
    ...proving(door, { ...authorization(b), client_id: b.optional.prover }),
    ...(issuer === 'own' ? [asDevice] : []),
  ];
}

/** A token that needs a proof, with a good one for this very request. */
export function proved({ world, issuer, route, url }: Door): Attempt[] {
  const { a } = world;
  return issuers.map((kind) => {
    const { bound } = a.optional.held[kind];
    return attempt(
      { route, issuer, url },
      {
        credential: `DPoP-bound token (${kind})`,
        how: 'with a proof for this request',
        headers: {
          authorization: `DPoP ${bound}`,
          dpop: dpopProof(a.optional.key, { method: route.method, url, token: bound }),
        },
        // The shared issuer finds the app in the token, and there A gets what is A's.
        allows: issuer === 'own' ? 'refusal' : 'own',
      },
    );
  });
}

/** A's code typed where people type B's, in browsers that were just given the form. */
export function typed({ world, write }: Door): Attempt[] {
  const codes = issuers.map((kind) => [kind, world.a.optional.held[kind].userCode] as const);
  return world.entries.slice(0, codes.length).map(({ cookie, fields }, i) =>
    write({
      credential: `user code (${codes[i]![0]})`,
      how: "typed at the other app's page",
      fields: { ...fields, user_code: codes[i]![1] },
      headers: { cookie },
      allows: 'page',
    }),
  );
}
