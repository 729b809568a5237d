import type { Context } from 'koa';
import type { Interaction } from '../oidc/interaction.ts';
import type { Transaction } from '../storage/database.ts';
import { rememberDevice } from '../users/devices/store.ts';
import type { User } from '../users/user.ts';
import { accountUrl, tellOwner, type TellDeps } from './tell-owner.ts';

type Where = {
  deps: TellDeps;
  ctx: Context;
  interaction: Pick<Interaction, 'appId' | 'snapshot'>;
};

/**
 * Remembers the browser that has just signed a user in. One that was never seen, of somebody who has others, is told to
 * them by mail, with the address of the page that ends its session. Says whether it was.
 */
export async function meetDevice(
  tx: Transaction,
  { deps, ctx, interaction }: Where,
  { user, device }: { user: User; device: string },
): Promise<boolean> {
  const { appId, snapshot } = interaction;
  const { isNew, hasOthers } = await rememberDevice(tx, appId, user.userId, device);
  if (!isNew || !hasOthers) return false;
  const at = { ctx, deps, snapshot };
  await tellOwner(tx, at, { user, template: 'new-device', model: { url: accountUrl(at, 'sessions') } });
  return true;
}
