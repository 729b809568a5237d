import type Router from '@koa/router';
import { normalizeEmail } from '../../../users/email.ts';
import type { SignInDeps } from '../../deps.ts';
import { linkDead, nothingHere } from '../../errors.ts';
import { signInByMail } from '../../mailed-proof/sign-in-by-mail.ts';
import { askedAddress } from '../../mailed-proof/store.ts';
import { openLink } from '../../mailed-proof/open.ts';
import { showCodeElsewhere, showRefused } from '../../mailed-proof/elsewhere.ts';
import { tryCode } from '../../mailed-proof/try-code.ts';
import type { ShowSignIn } from '../../method.ts';
import { goTo } from '../../onward.ts';
import { sentence, show } from '../../page.ts';
import { interactionPath, onLink, onStep, type LinkRequest, type Step, stayWith } from '../../step.ts';
import { askForLink } from './issue.ts';

const KIND = 'magic_link';

// POST   …/magic-link                   → queue the mail, 303 to the next one
// GET    …/magic-link                   → sent: "look into your mail", with a field for the code
// POST   …/magic-link/code              → the code of the other browser signs in here
// GET    …/magic-link/{secret}          → a button (here) or a code (elsewhere); spends nothing
// POST   …/magic-link/{secret}          → signs in, only in the browser that asked
// POST   …/magic-link/{secret}/refuse   → "it was not me"
export function mountMagicLink(router: Router, deps: SignInDeps, showSignIn: ShowSignIn): void {
  const at = '/auth/:app_id/interaction/:uid/magic-link';
  router.post(
    at,
    onStep(deps, 'login', (step) => ask(step, showSignIn)),
  );
  router.get(
    at,
    onStep(deps, 'login', (step) => showSent(step)),
  );
  router.post(`${at}/code`, onStep(deps, 'login', typeCode));
  router.get(`${at}/:secret`, onLink(deps, open));
  router.post(`${at}/:secret`, onStep(deps, 'login', confirm));
  router.post(
    `${at}/:secret/refuse`,
    onLink(deps, (request) => showRefused(request, KIND)),
  );
}

async function ask(step: Step, showSignIn: ShowSignIn): Promise<void> {
  requireOffered(step);
  const email = normalizeEmail(step.form.email);
  if (email === undefined)
    return showSignIn(step, { key: 'problem.email', email: (step.form.email ?? '').slice(0, 254) });
  await askForLink(step, email);
  goTo(step.ctx, `${interactionPath(step)}/magic-link`);
}

async function showSent(step: Step, problem?: string): Promise<void> {
  const email = await askedAddress(step.deps.ephemeral, { appId: step.appId, uid: step.uid, kind: KIND });
  const at = interactionPath(step);
  if (email === undefined) return goTo(step.ctx, at);
  const model = {
    email,
    code_action: `${at}/magic-link/code`,
    resend_action: `${at}/magic-link`,
    back_url: at,
    problem: problem ? sentence(step.ctx, problem) : null,
    notice: null,
  };
  show(step, 'sign-in/magic-link/sent', model, problem ? 400 : 200);
}

async function typeCode(step: Step): Promise<void> {
  requireOffered(step);
  const result = await tryCode(step, KIND);
  if ('wrong' in result) return showSent(step, result.wrong);
  await signInByMail(step, result.right, { method: 'magic_link_code', way: 'code' });
}

async function open(request: LinkRequest): Promise<void> {
  requireOffered(request);
  const { ctx, deps, appId, uid } = request;
  const opened = await openLink(request, KIND);
  if (!deps.interactions.isHere(ctx, appId, uid)) {
    if (!(await deps.interactions.peek(appId, uid))) throw linkDead();
    return showCodeElsewhere(request, opened, 'sign-in/magic-link/other-browser');
  }
  stayWith(ctx, await deps.interactions.load(ctx, appId, uid));
  show(request, 'sign-in/magic-link/confirm', { action: ctx.path, email: opened.proof.email });
}

async function confirm(step: Step): Promise<void> {
  requireOffered(step);
  const { proof } = await openLink(step, KIND);
  await signInByMail(step, proof, { method: 'magic_link', way: 'link' });
}

function requireOffered({ snapshot }: LinkRequest): void {
  if (!snapshot.app.settings.methods.magic_link) throw nothingHere();
}
