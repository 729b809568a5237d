import type { Json } from './call.ts';
import type { Admin, Side } from './side.ts';

/** What there is of an app, as text that changes when any of it changes. */
export type Probe = (sides: readonly Side[]) => Promise<Record<string, string>>;

/** Changed by merely being used, which is no crossing. */
const RESTLESS = new Set(['last_active_at', 'expires_at']);

/** The state as operators see it. Refusals are recorded in the trail, and may be. */
export function stateOverAdminApi(admin: Admin): Probe {
  const all = async (path: string): Promise<Json[]> => {
    const items: Json[] = [];
    for (let after = ''; ; ) {
      const page = await admin('GET', `${path}?limit=200${after}`);
      items.push(...(page.items ?? []));
      if (page.next === null || page.next === undefined) return items;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  };
  const list = async (path: string): Promise<Json[]> => (await admin('GET', path)).items ?? [];
  const one = async ({ appId, user, ids }: Side): Promise<Record<string, unknown>> => {
    const app = `/apps/${appId}`;
    const [clients, users, events] = await Promise.all([
      all(`${app}/clients`),
      all(`${app}/users`),
      all(`${app}/audit-events`),
    ]);
    // Of anybody else and of any other client the trail tells.
    const access = ['sessions', 'grants'].map((what) => all(`${app}/users/${user.userId}/${what}`));
    return {
      app: await admin('GET', app),
      clients,
      users,
      keys: await list(`${app}/keys`),
      secrets: await list(`${app}/clients/${ids['client_id']}/secrets`),
      access: await Promise.all(access),
      events: events.filter((event) => event['result'] === 'success'),
    };
  };
  return async (sides) => {
    const found: Record<string, string> = {};
    for (const side of sides)
      for (const [what, value] of Object.entries(await one(side)))
        found[`${what} of ${side.appId}`] = JSON.stringify(value, (key, inner) =>
          RESTLESS.has(key) ? undefined : inner,
        );
    return found;
  };
}

/** Names of what is different. */
export const changes = (before: Record<string, string>, after: Record<string, string>): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => before[name] !== after[name],
  );
