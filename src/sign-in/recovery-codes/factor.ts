import { lockUser } from '../../users/store.ts';
import { authorOf } from '../author.ts';
import { finishPending, stillThere } from '../second-factor/finish.ts';
import { onPending, type PendingStep } from '../second-factor/on-pending.ts';
import type { SecondFactor } from '../second-factor/second-factor.ts';
import { challengeView, verifyRecoveryCode } from './challenge.ts';
import { makeRecoveryCodes } from './make.ts';
import { showNewCodes } from './shown.ts';

// GET  …/second-factor/recovery-code        → the field for a code
// POST …/second-factor/recovery-code {code} → signs in, once for each code
// GET  …/recovery-codes                     → they were shown once, and can be made anew
// POST …/recovery-codes/new                 → makes them anew and shows them
// POST …/recovery-codes                     → on to the app
export const recoveryCodes: SecondFactor = {
  name: 'recovery_code',
  path: 'recovery-code',
  labelKey: 'second_factor.use_recovery_code',
  canEnrol: () => false,
  mount(router, deps, { challenge }) {
    const at = '/auth/:app_id/interaction/:uid';
    router.get(
      `${at}/second-factor/recovery-code`,
      onPending(deps, 'second_factor', (step) => challenge(step, { view: challengeView })),
    );
    router.post(
      `${at}/second-factor/recovery-code`,
      onPending(deps, 'second_factor', (step) => verifyRecoveryCode(step, challenge)),
    );
    router.get(
      `${at}/recovery-codes`,
      onPending(deps, 'recovery_codes', (step) => showNewCodes(step, [])),
    );
    router.post(`${at}/recovery-codes/new`, onPending(deps, 'recovery_codes', makeAnew));
    router.post(
      `${at}/recovery-codes`,
      onPending(deps, 'recovery_codes', (step) => finishPending(step)),
    );
  },
};

async function makeAnew(step: PendingStep): Promise<void> {
  const { ctx, deps, appId, pending } = step;
  const { userId } = pending;
  const by = { ...authorOf(ctx), actor: { type: 'user' as const, id: userId } };
  const codes = await deps.db.transaction(appId, async (tx) => {
    // Locked: of two at once the later one replaces the codes of the earlier, and does not add to them.
    await lockUser(tx, appId, userId);
    await stillThere(tx, appId, pending);
    return makeRecoveryCodes(tx, { appId, userId, by });
  });
  showNewCodes(step, codes);
}
