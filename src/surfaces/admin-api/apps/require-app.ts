import type { App } from '../../../apps/app.ts';
import { appNotFound } from '../../../apps/errors.ts';
import { appById, everyApp } from '../../../apps/operator-store.ts';
import { toApp } from '../../../apps/registry.ts';
import type { AdminApiDeps } from '../deps.ts';

/** The app, also when it is disabled. Problem `apps.not_found` when it is unknown or deleted. */
export async function requireApp(deps: Pick<AdminApiDeps, 'operatorDb'>, appId: string): Promise<App> {
  const row = await appById(everyApp(deps.operatorDb), appId);
  if (!row) throw appNotFound();
  return toApp(row);
}
