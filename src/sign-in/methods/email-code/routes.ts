import type Router from '@koa/router';
import { normalizeEmail } from '../../../users/email.ts';
import type { SignInDeps } from '../../deps.ts';
import { nothingHere } from '../../errors.ts';
import { signInByMail } from '../../mailed-proof/sign-in-by-mail.ts';
import { askedAddress } from '../../mailed-proof/store.ts';
import { tryCode } from '../../mailed-proof/try-code.ts';
import type { ShowSignIn } from '../../method.ts';
import { goTo } from '../../onward.ts';
import { sentence, show } from '../../page.ts';
import { interactionPath, onStep, type Step } from '../../step.ts';
import { askForCode } from './issue.ts';

const KIND = 'email_code';

// POST …/email-code {email}      → queue the mail, 303 to the next one
// GET  …/email-code              → "look into your mail", with a field for the code
// POST …/email-code/code {code}  → signs in, only in the browser that asked
export function mountEmailCode(router: Router, deps: SignInDeps, showSignIn: ShowSignIn): void {
  const at = '/auth/:app_id/interaction/:uid/email-code';
  router.post(
    at,
    onStep(deps, 'login', (step) => ask(step, showSignIn)),
  );
  router.get(
    at,
    onStep(deps, 'login', (step) => showSent(step)),
  );
  router.post(`${at}/code`, onStep(deps, 'login', typeCode));
}

async function ask(step: Step, showSignIn: ShowSignIn): Promise<void> {
  requireOffered(step);
  const email = normalizeEmail(step.form.email);
  if (email === undefined)
    return showSignIn(step, { key: 'problem.email', email: (step.form.email ?? '').slice(0, 254) });
  await askForCode(step, email);
  goTo(step.ctx, `${interactionPath(step)}/email-code`);
}

async function showSent(step: Step, problem?: string): Promise<void> {
  requireOffered(step);
  const email = await askedAddress(step.deps.ephemeral, { appId: step.appId, uid: step.uid, kind: KIND });
  const at = interactionPath(step);
  if (email === undefined) return goTo(step.ctx, at);
  const model = {
    email,
    code_action: `${at}/email-code/code`,
    resend_action: `${at}/email-code`,
    back_url: at,
    problem: problem ? sentence(step.ctx, problem) : null,
  };
  show(step, 'sign-in/email-code/sent', model, problem ? 400 : 200);
}

async function typeCode(step: Step): Promise<void> {
  requireOffered(step);
  const result = await tryCode(step, KIND);
  if ('wrong' in result)
    return showSent(step, result.wrong === 'problem.code' ? 'problem.email_code' : 'problem.email_code_dead');
  await signInByMail(step, result.right, { method: KIND, way: 'code' });
}

function requireOffered({ snapshot }: Step): void {
  if (!snapshot.app.settings.methods.email_code) throw nothingHere();
}
