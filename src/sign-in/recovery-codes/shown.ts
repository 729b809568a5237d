import { show } from '../page.ts';
import type { PendingStep } from '../second-factor/on-pending.ts';
import { interactionPath } from '../step.ts';

/** The one page that shows them, as the answer to the request that made them; [] when that answer is gone. */
export function showNewCodes(step: PendingStep, codes: string[]): void {
  const at = interactionPath(step);
  show(step, 'second-factor/recovery-codes', {
    codes,
    account: step.pending.identifier,
    continue_action: `${at}/recovery-codes`,
    renew_action: `${at}/recovery-codes/new`,
  });
}
