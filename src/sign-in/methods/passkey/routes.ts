import type Router from '@koa/router';
import { Problem } from '../../../kernel/problem.ts';
import { completeSignIn } from '../../complete.ts';
import type { SignInDeps } from '../../deps.ts';
import { nothingHere } from '../../errors.ts';
import { throttleNetwork } from '../../lockout/network.ts';
import type { ShowSignIn } from '../../method.ts';
import { goTo } from '../../onward.ts';
import { provePasskey } from '../../passkeys/prove.ts';
import { refuseSignIn, type Refusal } from '../../refuse.ts';
import { interactionPath, onStep, type Step } from '../../step.ts';

// POST …/passkey {credential} → signs in, or the sign-in page with one sentence for everything that is wrong
// GET  …/passkey              → the sign-in page (a reload after a wrong one)
export function mountPasskey(router: Router, deps: SignInDeps, showSignIn: ShowSignIn): void {
  const at = '/auth/:app_id/interaction/:uid/passkey';
  router.post(
    at,
    onStep(deps, 'login', (step) => signIn(step, showSignIn)),
  );
  router.get(
    at,
    onStep(deps, 'login', (step) => goTo(step.ctx, interactionPath(step))),
  );
}

async function signIn(step: Step, showSignIn: ShowSignIn): Promise<void> {
  const { ctx, deps, appId, form, snapshot } = step;
  if (!snapshot.app.settings.methods.passkey) throw nothingHere();
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const refuse = async (refusal: Omit<Refusal, 'method'>) => {
    await refuseSignIn(step, { method: 'passkey', ...refusal });
    const key = refusal.reason === 'passkey_late' ? 'problem.passkey_late' : 'problem.passkey';
    showSignIn(step, { key, values: { app: snapshot.app.name }, field: 'passkey' });
  };
  const proved = await provePasskey(step, 'sign_in', form.credential);
  if ('reason' in proved) return refuse(proved);
  const { user, amr, spend } = proved;
  try {
    await completeSignIn(step, { method: 'passkey', amr, identifier: user.email, who: spend });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'sign_in.refused') throw error;
    await refuse({ reason: 'passkey_invalid', userId: user.userId });
  }
}
