import type Router from '@koa/router';
import { audit } from '../../events/audit.ts';
import { scoped } from '../../storage/database.ts';
import { deviceOf } from '../../users/devices/device-name.ts';
import { userById } from '../../users/store.ts';
import { authorOf } from '../author.ts';
import { spendResult } from '../result.ts';
import type { SignInDeps } from '../deps.ts';
import { alreadyFinished } from '../errors.ts';
import { show } from '../page.ts';
import { interactionPath, onStep, type Step } from '../step.ts';

// POST …/device {decision: allow|deny} → the end of it; the page itself is the interaction's GET
export function mountDevice(router: Router, deps: SignInDeps): void {
  router.post('/auth/:app_id/interaction/:uid/device', onStep(deps, 'device', decide));
}

/** The device that waits, in the person's words: nothing goes on before they say that it is theirs (RFC 8628 §5.4). */
export async function showDevice(step: Step): Promise<void> {
  const { deps, appId, interaction } = step;
  const { device, signedInUserId } = interaction;
  if (!device || signedInUserId === undefined) throw alreadyFinished();
  const user = await userById(scoped(deps.db, appId), appId, signedInUserId);
  show(step, 'device/confirm', {
    action: `${interactionPath(step)}/device`,
    client_name: interaction.client.name,
    user_email: user?.email ?? '',
    code: device.userCode,
    place: device.askedFrom.address,
    device: deviceOf(device.askedFrom.userAgent),
    requested_at: device.askedFrom.at,
  });
}

async function decide(step: Step): Promise<void> {
  const { ctx, deps, appId, interaction } = step;
  const { decision } = step.form;
  const { signedInUserId: userId } = interaction;
  // Anything but one of the two buttons decides nothing.
  if (decision !== 'allow' && decision !== 'deny') return showDevice(step);
  if (userId === undefined) throw alreadyFinished();
  await deps.db.transaction(appId, async (tx) => {
    await spendResult(tx, interaction);
    await audit(tx, {
      ...authorOf(ctx),
      appId,
      type: decision === 'allow' ? 'device.confirmed' : 'device.denied',
      actor: { type: 'user', id: userId },
      userId,
      clientId: interaction.client.clientId,
      result: 'success',
      details: { asked_from: interaction.device?.askedFrom.address ?? '' },
    });
  });
  if (decision === 'allow') await deps.interactions.finishDevice(ctx, interaction);
  else await deps.interactions.abort(ctx, interaction);
}
