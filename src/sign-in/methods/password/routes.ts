import type Router from '@koa/router';
import { Problem } from '../../../kernel/problem.ts';
import { normalizeEmail } from '../../../users/email.ts';
import { rehashPassword } from '../../../users/passwords/store.ts';
import { userById } from '../../../users/store.ts';
import { completeSignIn } from '../../complete.ts';
import type { SignInDeps } from '../../deps.ts';
import { deviceOf } from '../../device-cookie.ts';
import { nothingHere } from '../../errors.ts';
import { throttleNetwork } from '../../lockout/network.ts';
import type { ShowSignIn } from '../../method.ts';
import { goTo } from '../../onward.ts';
import { refuseSignIn } from '../../refuse.ts';
import { interactionPath, type LinkRequest, onStep, onStepWith, type Step } from '../../step.ts';
import { whereHashed } from '../../passwords/hash-door.ts';
import { isTooLong } from '../../passwords/policy.ts';
import { verifyPassword } from '../../passwords/verify.ts';

// POST …/password {email, password} → signs in, or the sign-in page with one sentence for everything that is wrong
// GET  …/password                   → the sign-in page (a reload after a wrong password)
export function mountPassword(router: Router, deps: SignInDeps, showSignIn: ShowSignIn): void {
  const at = '/auth/:app_id/interaction/:uid/password';
  router.post(
    at,
    whereHashed(
      deps,
      onStepWith(deps, 'login', counted, (step, typed) => signIn(step, typed, showSignIn)),
    ),
  );
  router.get(
    at,
    onStep(deps, 'login', (step) => goTo(step.ctx, interactionPath(step))),
  );
}

/** An address and a password that can be looked at, counted for the network they come from; what can not is counted by nobody. */
async function counted({ ctx, deps, appId, form, snapshot }: LinkRequest): Promise<Typed> {
  const email = normalizeEmail(form.email);
  const isPossible = email !== undefined && Boolean(form.password) && !isTooLong(form.password!);
  if (isPossible && snapshot.app.settings.methods.password)
    await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  return { email, password: isPossible ? form.password : undefined };
}

type Typed = { email: string | undefined; password: string | undefined };

async function signIn(step: Step, typed: Promise<Typed>, showSignIn: ShowSignIn): Promise<void> {
  requirePasswords(step);
  const { ctx, deps, appId, form } = step;
  const { email, password } = await typed;
  const shown = (form.email ?? '').slice(0, 254);
  if (email === undefined) return showSignIn(step, { key: 'problem.email', email: shown });
  const refuse = () => showSignIn(step, { key: 'problem.credentials', email: shown });
  // Nothing is looked up and nothing is hashed for these, whoever they are typed for.
  if (password === undefined) return refuse();
  const result = await verifyPassword(deps, {
    appId,
    email,
    password,
    device: deviceOf(ctx, deps.config, appId),
  });
  if (!result.ok) {
    await refuseSignIn(step, { method: 'password', reason: result.reason, userId: result.userId });
    return refuse();
  }
  const { userId, attempt, renewed } = result;
  try {
    await completeSignIn(step, {
      method: 'password',
      amr: ['pwd'],
      identifier: email,
      attempt,
      userId: renewed ? undefined : userId,
      async who(tx) {
        if (renewed) await rehashPassword(tx, { appId, userId, ...renewed });
        return userById(tx, appId, userId);
      },
    });
  } catch (error) {
    if (error instanceof Problem && error.code === 'sign_in.refused') return refuse();
    throw error;
  }
}

/** Problem not_found where the app has passwords switched off. */
export function requirePasswords({ snapshot }: Pick<LinkRequest, 'snapshot'>): void {
  if (!snapshot.app.settings.methods.password) throw nothingHere();
}
