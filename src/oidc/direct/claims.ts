import type { AppSnapshot } from '../../apps/app.ts';
import { claimsConfiguration } from '../account.ts';

type Claims = Record<string, unknown>;

/** Of these scopes those that the person allowed, in the grant's order. undefined: some were refused one by one. */
export function grantedScopes(
  { openid, rejected }: Readonly<Record<string, unknown>>,
  wanted: readonly string[],
): string[] | undefined {
  const { scope } = (openid ?? {}) as { scope?: unknown };
  if (rejected !== undefined || typeof scope !== 'string') return undefined;
  return scope.split(' ').filter((granted) => wanted.includes(granted));
}

type ByScope = Readonly<Record<string, null | readonly string[]>>;
const configurations = new WeakMap<AppSnapshot, ByScope>();

/**
 * Of these claims those that the scopes give (OIDC Core §5.4). undefined: among them are some that others answer for
 * (§5.6.2), which the library hands on.
 */
export function pickClaims(
  snapshot: AppSnapshot,
  claims: Readonly<Claims>,
  scopes: readonly string[],
): Claims | undefined {
  if ('_claim_names' in claims) return undefined;
  let byScope = configurations.get(snapshot);
  if (!byScope)
    configurations.set(snapshot, (byScope = claimsConfiguration(snapshot.app.settings.custom_claims)));
  const picked: Claims = {};
  for (const scope of scopes)
    for (const name of (Object.hasOwn(byScope, scope) && byScope[scope]) || [])
      if (Object.hasOwn(claims, name)) picked[name] = claims[name];
  return picked;
}
