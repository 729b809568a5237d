import type { AppSnapshot } from '../../apps/app.ts';
import type { Feature } from './feature.ts';

/** Claims asked for one by one (OIDC Core §5.5). */
export const claimsParameter = ({ app }: AppSnapshot): Feature<'claimsParameter'> => ({
  claimsParameter: { enabled: app.settings.features.claims_parameter },
});

type Asked = { userinfo?: Record<string, unknown>; id_token?: Record<string, unknown> };

/** Names of the claims that a request asks for, at either place. Only of a request that the library has accepted. */
export function claimsAskedFor(params: Readonly<Record<string, unknown>>): string[] {
  if (typeof params['claims'] !== 'string') return [];
  try {
    const { userinfo, id_token: idToken } = JSON.parse(params['claims']) as Asked;
    return [...new Set([...Object.keys(userinfo ?? {}), ...Object.keys(idToken ?? {})])];
  } catch {
    return [];
  }
}

/** A JWT access token is not stored, so it carries the names of what userinfo was asked for beside its scopes. */
export function userinfoClaims(claims: unknown): { userinfo_claims?: string[] } {
  const names = Object.keys((claims as Asked | undefined)?.userinfo ?? {});
  return names.length ? { userinfo_claims: names } : {};
}

/** The reverse, as the library wants it. What of it was granted is decided by the grant. */
export function askedOfUserinfo(names: unknown): { claims?: Asked } {
  if (!Array.isArray(names)) return {};
  return { claims: { userinfo: Object.fromEntries(names.map((name) => [String(name), null])) } };
}
