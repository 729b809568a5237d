import { scoped } from '../../../storage/database.ts';
import { userNotFound } from '../../../users/errors.ts';
import { userById } from '../../../users/store.ts';
import { requireApp } from '../apps/require-app.ts';
import type { AdminApiDeps } from '../deps.ts';

/** Problem `users.not_found` unless the app has this user. */
export async function requireUser(
  deps: AdminApiDeps,
  params: { app_id: string; user_id: string },
): Promise<{ appId: string; userId: string }> {
  const { appId } = await requireApp(deps, params.app_id);
  if (!(await userById(scoped(deps.db, appId), appId, params.user_id))) throw userNotFound();
  return { appId, userId: params.user_id };
}
