import Router from '@koa/router';
import type { Middleware } from 'koa';
import { mountConsent, showConsent } from './consent/routes.ts';
import { showDeadLinks } from './dead-links.ts';
import type { SignInDeps } from './deps.ts';
import { mountDevice, showDevice } from './device/routes.ts';
import { spendResult } from './result.ts';
import { alreadyFinished } from './errors.ts';
import { mountInvitation } from './invitation/routes.ts';
import { methods, showSignIn, signUpUrl } from './offer.ts';
import { goTo } from './onward.ts';
import { findPending, type Pending } from './second-factor/pending.ts';
import { recordAbandoned } from './second-factor/abandoned.ts';
import { dueAfterFirstProof, mountSecondFactors } from './second-factor/routes.ts';
import { mountPasskeyOffer } from './passkeys/offer.ts';
import { type LinkRequest, onStep, onStepWith, type Step } from './step.ts';

// GET  /auth/{app_id}/interaction/{uid}         → the page that is due: sign-in, second factor, consent
// POST /auth/{app_id}/interaction/{uid}/cancel  → back to the app with access_denied
// and what methods, second factors, consent and invitations add
export function signInRoutes(deps: SignInDeps): Middleware {
  const router = new Router({ sensitive: true });
  router.use((ctx, next) => showDeadLinks(deps, ctx, next));
  const pending = (request: LinkRequest) => findPending(deps.ephemeral, request);
  router.get('/auth/:app_id/interaction/:uid', onStepWith(deps, 'any', pending, showDue));
  router.post('/auth/:app_id/interaction/:uid/cancel', onStep(deps, 'any', cancel));
  for (const method of methods) method.mount(router, deps, showSignIn);
  mountSecondFactors(router, deps);
  mountPasskeyOffer(router, deps);
  mountConsent(router, deps);
  mountDevice(router, deps);
  mountInvitation(router, deps);
  return router.routes() as unknown as Middleware;
}

async function showDue(step: Step, pending: Promise<Pending | undefined>): Promise<void> {
  const { name } = step.interaction.prompt;
  // OpenID Connect Initiating User Registration 1.0 §4. Only on the way in: from there a link leads back to signing in.
  const signUp = name === 'login' && step.ctx.query['prompt'] === 'create' ? signUpUrl(step) : undefined;
  const due = name === 'login' ? await dueAfterFirstProof(step, pending) : undefined;
  if (due) goTo(step.ctx, due);
  else if (signUp) goTo(step.ctx, signUp);
  else if (name === 'login') showSignIn(step);
  else if (name === 'consent') await showConsent(step);
  else if (name === 'device') await showDevice(step);
  else throw alreadyFinished();
}

async function cancel(step: Step): Promise<void> {
  const { ctx, deps, appId, interaction } = step;
  await deps.db.transaction(appId, async (tx) => {
    await spendResult(tx, interaction);
    await recordAbandoned(tx, step);
  });
  await deps.interactions.abort(ctx, interaction);
}
