import type { CustomClaim } from '../../apps/claims/custom-claim.ts';
import type { User } from '../../users/user.ts';

/** What is larger in a token than this is left out: tokens travel in headers. */
const MAX_VALUE_BYTES = 4096;

export type ClaimUse = CustomClaim['in'][number];

/** The app's own claims about a user, as far as the scopes granted allow them there. */
export function customClaims(
  definitions: readonly CustomClaim[],
  user: User,
  { use, scope }: { use: ClaimUse; scope: string },
): Record<string, unknown> {
  const scopes = new Set(scope.split(' '));
  const claims: Record<string, unknown> = {};
  for (const claim of definitions) {
    if (!claim.in.includes(use) || (claim.scope !== null && !scopes.has(claim.scope))) continue;
    const value = valueAt(user, claim.from);
    if (value !== undefined && value !== null && Buffer.byteLength(JSON.stringify(value)) <= MAX_VALUE_BYTES)
      claims[claim.name] = value;
  }
  return claims;
}

/** Own properties only: `metadata.constructor` is nobody's metadata. */
function valueAt(user: User, path: string): unknown {
  const [source, ...steps] = path.split('.');
  let value: unknown = source === 'profile' ? user.profile : user.metadata;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
