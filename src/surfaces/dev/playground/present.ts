import { type RelyingParty, SCOPE, type Tokens } from './relying-party.ts';
import type { Visit } from './visits.ts';

type Decoded = { header: unknown; claims: Record<string, unknown> | null; raw: string };

/** What a JWT says, unverified: it is shown, not trusted. An opaque token has neither header nor claims. */
export function decoded(raw: string): Decoded {
  try {
    const [header = '', claims = ''] = raw
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('utf8'));
    return { header: JSON.parse(header), claims: JSON.parse(claims) as Record<string, unknown>, raw };
  } catch {
    return { header: null, claims: null, raw };
  }
}

export function startModel(party: RelyingParty, appName: string, problem: string | null) {
  return {
    action: '/dev/playground/start',
    app_name: appName,
    client_id: party.clientId,
    redirect_uri: party.redirectUri,
    issuers: (['shared', 'own'] as const).map((value) => ({
      value,
      url: party.issuerUrl(value),
      checked: value === 'shared',
    })),
    scope: SCOPE,
    problem,
  };
}

export function tokensModel(party: RelyingParty, tokens: Tokens, visit: Visit) {
  const idToken = decoded(tokens.idToken);
  const email = visit.email ?? idToken.claims?.email;
  return {
    issuer: tokens.issuer,
    issuer_url: party.issuerUrl(tokens.issuer),
    email: typeof email === 'string' ? email : null,
    id_token: idToken,
    access_token: decoded(tokens.accessToken),
    refresh_token: tokens.refreshToken ?? null,
    actions: {
      refresh: tokens.refreshToken ? '/dev/playground/refresh' : null,
      userinfo: '/dev/playground/userinfo',
      introspect: '/dev/playground/introspect',
      logout: '/dev/playground/logout',
    },
    again_url: '/dev/playground?again=1',
    result: visit.result ?? null,
    problem: visit.problem ?? null,
  };
}
