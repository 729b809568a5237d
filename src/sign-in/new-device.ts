import type { Context } from 'koa';
import type { Interaction } from '../oidc/interaction.ts';
import type { Transaction } from '../storage/database.ts';
import type { MetDevice } from '../users/devices/store.ts';
import type { User } from '../users/user.ts';
import { accountUrl, tellOwner, type TellDeps } from './tell-owner.ts';

type Where = {
  deps: TellDeps;
  ctx: Context;
  interaction: Pick<Interaction, 'snapshot'>;
};

/**
 * A browser that was never seen, of somebody who has others, is told to them by mail, with the address of the page that
 * ends its session.
 */
export async function tellOfDevice(
  tx: Transaction,
  { deps, ctx, interaction }: Where,
  { user, met }: { user: User; met: MetDevice },
): Promise<void> {
  if (!met.isNew || !met.hasOthers) return;
  const at = { ctx, deps, snapshot: interaction.snapshot };
  await tellOwner(tx, at, { user, template: 'new-device', model: { url: accountUrl(at, 'sessions') } });
}
