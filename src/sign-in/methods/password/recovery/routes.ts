import type Router from '@koa/router';
import { passwordMinLength } from '../../../../apps/password-settings.ts';
import { scoped } from '../../../../storage/database.ts';
import { normalizeEmail } from '../../../../users/email.ts';
import type { SignInDeps } from '../../../deps.ts';
import { askedAddress } from '../../../mailed-proof/store.ts';
import type { Proof } from '../../../mailed-proof/proof.ts';
import { openLink } from '../../../mailed-proof/open.ts';
import { goTo } from '../../../onward.ts';
import { sentence, show } from '../../../page.ts';
import { interactionPath, type LinkRequest, onLink, onStep, type Step, stayWith } from '../../../step.ts';
import { whereHashed } from '../../../passwords/hash-door.ts';
import { faultInWords } from '../../../passwords/new-password.ts';
import { requirePasswords } from '../routes.ts';
import { askForReset } from './ask.ts';
import { hasNewPasskeys } from './new-passkeys.ts';
import { resetAndSignIn, resetPassword } from './reset.ts';

const KIND = 'reset';

// GET   …/forgot                       → form
// POST  …/forgot {email}               → queue a mail if there is an account; 303 to the next one
// GET   …/forgot/sent                  → "look into your mail"
// GET   …/reset/{secret}               → form, in any browser; spends nothing
// POST  …/reset/{secret} {new_password}→ sets it once; signs in only where the recovery began
export function mountRecovery(router: Router, deps: SignInDeps): void {
  const at = '/auth/:app_id/interaction/:uid';
  router.get(
    `${at}/forgot`,
    onStep(deps, 'login', (step) => showRequest(step, '')),
  );
  router.post(`${at}/forgot`, onStep(deps, 'login', ask));
  router.get(`${at}/forgot/sent`, onStep(deps, 'login', showSent));
  router.get(`${at}/reset/:secret`, onLink(deps, open));
  router.post(`${at}/reset/:secret`, whereHashed(deps, onLink(deps, save)));
}

function showRequest(step: Step, email: string, problem?: string): void {
  requirePasswords(step);
  const at = interactionPath(step);
  const model = { action: `${at}/forgot`, email, sign_in_url: at, problem: problem ?? null };
  show(step, 'recovery/request', model, problem ? 400 : 200);
}

async function ask(step: Step): Promise<void> {
  requirePasswords(step);
  const email = normalizeEmail(step.form.email);
  if (email === undefined)
    return showRequest(step, (step.form.email ?? '').slice(0, 254), sentence(step.ctx, 'problem.email'));
  await askForReset(step, email);
  goTo(step.ctx, `${interactionPath(step)}/forgot/sent`);
}

async function showSent(step: Step): Promise<void> {
  requirePasswords(step);
  const at = `${interactionPath(step)}/forgot`;
  const email = await askedAddress(step.deps.ephemeral, { appId: step.appId, uid: step.uid, kind: KIND });
  if (email === undefined) return goTo(step.ctx, at);
  show(step, 'recovery/sent', { email, back_url: at });
}

async function open(request: LinkRequest): Promise<void> {
  requirePasswords(request);
  const { proof } = await openLink(request, KIND);
  // Where it began, the form ends at the app, and the page's policy has to allow that.
  await livingStep(request);
  await showNewPassword(request, proof);
}

async function save(request: LinkRequest): Promise<void> {
  requirePasswords(request);
  const { ctx, form } = request;
  const { proof } = await openLink(request, KIND);
  const step = await livingStep(request);
  const fault = await faultInWords(request, form.new_password, proof);
  if (fault) return showNewPassword(request, proof, fault);
  if (step) return resetAndSignIn(step, proof, form.new_password ?? '');
  await resetPassword(request, proof, form.new_password ?? '');
  show(request, 'recovery/done', { start_url: ctx.state.startUrl ?? null });
}

/** The sign-in that the recovery belongs to, if this is its browser and it is still waiting. */
async function livingStep(request: LinkRequest): Promise<Step | undefined> {
  const { ctx, deps, appId, uid } = request;
  if (!deps.interactions.isHere(ctx, appId, uid)) return undefined;
  const alive = await deps.interactions.peek(appId, uid);
  if (alive?.prompt.name !== 'login') return undefined;
  const interaction = await deps.interactions.load(ctx, appId, uid);
  stayWith(ctx, interaction);
  return { ...request, interaction };
}

async function showNewPassword(request: LinkRequest, proof: Proof, problem?: string): Promise<void> {
  const { ctx, deps, appId, snapshot } = request;
  const { email, userId = '' } = proof;
  const min_length = passwordMinLength(snapshot.app.settings);
  // Only who holds the mail learns it.
  const has_passkeys = await hasNewPasskeys(scoped(deps.db, appId), { appId, userId, snapshot });
  show(
    request,
    'recovery/new-password',
    { action: ctx.path, email, min_length, has_passkeys, problem: problem ?? null },
    problem ? 400 : 200,
  );
}
