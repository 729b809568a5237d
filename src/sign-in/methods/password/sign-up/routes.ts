import type Router from '@koa/router';
import { passwordMinLength } from '../../../../apps/password-settings.ts';
import { normalizeEmail } from '../../../../users/email.ts';
import { isEmailDomainAllowed } from '../../../../users/email-domains.ts';
import type { SignInDeps } from '../../../deps.ts';
import { linkDead, nothingHere } from '../../../errors.ts';
import { showCodeElsewhere, showRefused } from '../../../mailed-proof/elsewhere.ts';
import { type Opened, openLink } from '../../../mailed-proof/open.ts';
import { askedAddress } from '../../../mailed-proof/store.ts';
import { tryCode } from '../../../mailed-proof/try-code.ts';
import { goTo } from '../../../onward.ts';
import { sentence, show } from '../../../page.ts';
import { interactionPath, type LinkRequest, onLink, onStep, type Step, stayWith } from '../../../step.ts';
import { whereHashed } from '../../../passwords/hash-door.ts';
import { faultInWords } from '../../../passwords/new-password.ts';
import { requirePasswords } from '../routes.ts';
import { beginSignUp } from './begin.ts';
import { finishLate, signUpAndSignIn } from './finish.ts';

const KIND = 'sign_up';

// GET    …/sign-up                   → form
// POST   …/sign-up {email, password} → queue a mail, whoever has the address; 303 to the next one
// GET    …/sign-up/sent              → "we have sent you a mail", with a field for the code
// POST   …/sign-up/code              → the code of the other browser makes the account and signs in here
// GET    …/sign-up/{secret}          → a button (here), a code (elsewhere), or the password (too late); spends nothing
// POST   …/sign-up/{secret}          → makes the account
// POST   …/sign-up/{secret}/refuse   → "it was not me"
export function mountSignUp(router: Router, deps: SignInDeps): void {
  const at = '/auth/:app_id/interaction/:uid/sign-up';
  router.get(
    at,
    onStep(deps, 'login', (step) => showForm(step, '')),
  );
  router.post(at, whereHashed(deps, onStep(deps, 'login', begin)));
  router.get(
    `${at}/sent`,
    onStep(deps, 'login', (step) => showSent(step)),
  );
  router.post(`${at}/code`, onStep(deps, 'login', typeCode));
  router.get(
    `${at}/:secret`,
    onLink(deps, (request) => open(request)),
  );
  router.post(`${at}/:secret`, onLink(deps, confirm));
  router.post(
    `${at}/:secret/refuse`,
    onLink(deps, (request) => showRefused(request, KIND)),
  );
}

async function begin(step: Step): Promise<void> {
  requireOpen(step);
  const { form, ctx } = step;
  const email = normalizeEmail(form.email);
  const typed = (form.email ?? '').slice(0, 254);
  if (email === undefined)
    return showForm(step, typed, { field: 'email', problem: sentence(ctx, 'problem.email') });
  if (!isEmailDomainAllowed(email, step.snapshot.app.settings))
    return showForm(step, typed, { field: 'email', problem: sentence(ctx, 'problem.email_domain') });
  const fault = await faultInWords(step, form.password, { email });
  if (fault) return showForm(step, typed, { field: 'password', problem: fault });
  await beginSignUp(step, email, form.password ?? '');
  goTo(ctx, `${interactionPath(step)}/sign-up/sent`);
}

function showForm(step: Step, email: string, fault?: { field: 'email' | 'password'; problem: string }): void {
  requireOpen(step);
  const at = interactionPath(step);
  const model = {
    action: `${at}/sign-up`,
    email,
    min_length: passwordMinLength(step.snapshot.app.settings),
    sign_in_url: at,
    problem: fault?.problem ?? null,
    problem_field: fault?.field,
  };
  show(step, 'sign-up/sign-up', model, fault ? 400 : 200);
}

async function showSent(step: Step, problem?: string): Promise<void> {
  requireOpen(step);
  const at = `${interactionPath(step)}/sign-up`;
  const email = await askedAddress(step.deps.ephemeral, { appId: step.appId, uid: step.uid, kind: KIND });
  if (email === undefined) return goTo(step.ctx, at);
  const model = {
    email,
    code_action: `${at}/code`,
    back_url: at,
    problem: problem ? sentence(step.ctx, problem) : null,
  };
  show(step, 'sign-up/sent', model, problem ? 400 : 200);
}

async function typeCode(step: Step): Promise<void> {
  requireOpen(step);
  const result = await tryCode(step, KIND);
  if ('wrong' in result) return showSent(step, result.wrong);
  await signUpAndSignIn(step, result.right, 'code');
}

async function open(request: LinkRequest): Promise<void> {
  requireOpen(request);
  const { ctx } = request;
  const opened = await openLink(request, KIND);
  if (opened.proof.userId !== undefined) throw linkDead();
  const place = await placeOf(request);
  if (place === 'elsewhere') return showCodeElsewhere(request, opened, 'sign-up/other-browser');
  if (place === 'over') return showLate(request, opened);
  stayWith(ctx, place.interaction);
  show(request, 'sign-up/confirm', { action: ctx.path, email: opened.proof.email });
}

async function confirm(request: LinkRequest): Promise<void> {
  requireOpen(request);
  const { ctx, form } = request;
  const opened = await openLink(request, KIND);
  if (opened.proof.userId !== undefined) throw linkDead();
  const place = await placeOf(request);
  if (place === 'elsewhere') return showCodeElsewhere(request, opened, 'sign-up/other-browser');
  if (place !== 'over') {
    stayWith(ctx, place.interaction);
    return signUpAndSignIn(place, opened.proof, 'link');
  }
  if (!form.password) return showLate(request, opened, sentence(ctx, 'problem.required'));
  const isRight = await finishLate(request, opened, form.password);
  if (!isRight) return showLate(request, opened, sentence(ctx, 'problem.credentials'));
  show(request, 'sign-up/done', { start_url: ctx.state.startUrl ?? null });
}

/** Where a link was opened: in the browser that asked, in another one, or after the sign-in it belonged to was over. */
async function placeOf(request: LinkRequest): Promise<Step | 'elsewhere' | 'over'> {
  const { ctx, deps, appId, uid } = request;
  const alive = await deps.interactions.peek(appId, uid);
  if (alive?.prompt.name !== 'login') return 'over';
  if (!deps.interactions.isHere(ctx, appId, uid)) return 'elsewhere';
  return { ...request, interaction: await deps.interactions.load(ctx, appId, uid) };
}

function showLate(request: LinkRequest, { proof }: Opened, problem?: string): void {
  const model = { action: request.ctx.path, email: proof.email, problem: problem ?? null };
  show(request, 'sign-up/confirm-with-password', model, problem ? 400 : 200);
}

function requireOpen(request: LinkRequest): void {
  requirePasswords(request);
  if (request.snapshot.app.settings.sign_up === 'invite_only') throw nothingHere();
}
