import type { GrantPayload } from './store.ts';

/** What the library keeps of a grant: `openid.scope` and a scope for each resource, each a list in one string. */
export function scopesOf(payload: GrantPayload): string[] {
  const { openid, resources } = payload as {
    openid?: { scope?: string };
    resources?: Record<string, string>;
  };
  const lists = [openid?.scope, ...Object.values(resources ?? {})];
  return [
    ...new Set(lists.flatMap((list) => (typeof list === 'string' ? list.split(' ').filter(Boolean) : []))),
  ];
}
