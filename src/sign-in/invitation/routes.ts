import type Router from '@koa/router';
import { passwordMinLength } from '../../apps/password-settings.ts';
import type { SignInDeps } from '../deps.ts';
import { whereHashed } from '../passwords/hash-door.ts';
import { faultInWords } from '../passwords/new-password.ts';
import { show } from '../page.ts';
import { onPage, type PageRequest } from '../step.ts';
import { acceptInvitation, openInvitation } from './accept.ts';

// GET  /auth/{app_id}/invitation/{secret}                → form; spends nothing
// POST /auth/{app_id}/invitation/{secret} {new_password} → sets up the account
export function mountInvitation(router: Router, deps: SignInDeps): void {
  const at = '/auth/:app_id/invitation/:secret';
  router.get(at, onPage(deps, 'invitation', open));
  router.post(at, whereHashed(deps, onPage(deps, 'invitation', accept)));
}

async function open(request: PageRequest): Promise<void> {
  const { email } = await openInvitation(request);
  showForm(request, email);
}

async function accept(request: PageRequest): Promise<void> {
  const { email, userId } = await openInvitation(request);
  const fault = await faultInWords(request, request.form.new_password, { email, userId });
  if (fault) return showForm(request, email, fault);
  await acceptInvitation(request, request.form.new_password ?? '');
  show(request, 'invitation/done', { start_url: request.ctx.state.startUrl ?? null });
}

function showForm(request: PageRequest, email: string, problem?: string): void {
  const min_length = passwordMinLength(request.snapshot.app.settings);
  show(
    request,
    'invitation/accept',
    { action: request.ctx.path, email, min_length, problem: problem ?? null },
    problem ? 400 : 200,
  );
}
