import { onPending } from '../second-factor/on-pending.ts';
import type { SecondFactor } from '../second-factor/second-factor.ts';
import { askForPasskey, verifyPasskey } from './challenge-page.ts';
import { enrolAsFactor, showFactorEnrolment } from './enrol-page.ts';

// GET  …/second-factor/passkey              → a button
// POST …/second-factor/passkey {credential} → signs in
// GET  …/enrol/passkey                      → a button that makes one
// POST …/enrol/passkey {credential}         → adds it and shows the recovery codes
export const passkeyFactor: SecondFactor = {
  name: 'passkey',
  path: 'passkey',
  labelKey: 'second_factor.use_passkey',
  enrolLabelKey: 'second_factor.enrol_passkey',
  canEnrol: (settings) => settings.methods.passkey,
  mount(router, deps, { challenge, enrolment }) {
    const at = '/auth/:app_id/interaction/:uid';
    router.get(
      `${at}/second-factor/passkey`,
      onPending(deps, 'second_factor', (step) => askForPasskey(step, challenge)),
    );
    router.post(
      `${at}/second-factor/passkey`,
      onPending(deps, 'second_factor', (step) => verifyPasskey(step, challenge)),
    );
    router.get(
      `${at}/enrol/passkey`,
      onPending(deps, 'enrol', (step) => showFactorEnrolment(step, enrolment)),
    );
    router.post(
      `${at}/enrol/passkey`,
      onPending(deps, 'enrol', (step) => enrolAsFactor(step, enrolment)),
    );
  },
};
