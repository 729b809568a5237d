import { onPending } from '../second-factor/on-pending.ts';
import type { SecondFactor } from '../second-factor/second-factor.ts';
import { challengeView, verifyTotp } from './challenge.ts';
import { enrolTotp, showEnrolment } from './enrol.ts';

// GET  …/second-factor/totp         → the field for a code
// POST …/second-factor/totp {code}  → signs in, once for each code
// GET  …/enrol/totp                 → QR code and secret
// POST …/enrol/totp {code}          → switches it on and shows the recovery codes
export const totp: SecondFactor = {
  name: 'totp',
  path: 'totp',
  labelKey: 'second_factor.use_totp',
  enrolLabelKey: 'second_factor.enrol_totp',
  canEnrol: () => true,
  mount(router, deps, { challenge, enrolment }) {
    const at = '/auth/:app_id/interaction/:uid';
    router.get(
      `${at}/second-factor/totp`,
      onPending(deps, 'second_factor', (step) => challenge(step, { view: challengeView })),
    );
    router.post(
      `${at}/second-factor/totp`,
      onPending(deps, 'second_factor', (step) => verifyTotp(step, challenge)),
    );
    router.get(
      `${at}/enrol/totp`,
      onPending(deps, 'enrol', (step) => showEnrolment(step, enrolment)),
    );
    router.post(
      `${at}/enrol/totp`,
      onPending(deps, 'enrol', (step) => enrolTotp(step, enrolment)),
    );
  },
};
