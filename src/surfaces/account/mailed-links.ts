import type { Context } from 'koa';
import { formBody } from '../../http/bodies.ts';
import { requireCsrf } from '../../http/csrf.ts';
import { showPage } from '../../http/page.ts';
import { stateOf } from '../../http/request-state.ts';
import { originOf } from '../../http/site.ts';
import { browserSession } from '../../oidc/browser-session.ts';
import { authorOf } from '../../sign-in/author.ts';
import {
  drawCodeOfChange,
  openEmailChange,
  refuseEmailChange,
} from '../../sign-in/email-change/elsewhere.ts';
import { openUndo, undoEmailChange } from '../../sign-in/email-change/undo.ts';
import type { AccountDeps } from './deps.ts';
import { accountCsrfScope, enter } from './visit.ts';

type Opened = { ctx: Context; deps: AccountDeps; secret: string } & Awaited<ReturnType<typeof enter>>;

/** For addresses in mails, which whoever reads them opens anywhere, signed in or not. Opening one spends nothing. */
export function onMailedLink(deps: AccountDeps, handler: (opened: Opened) => Promise<void>) {
  return async (ctx: Context): Promise<void> => {
    const entered = await enter(deps, ctx);
    const { secret = '' } = ctx.params as Record<string, string>;
    // Forms are bound to the link they came with.
    const csrfScope = `${entered.appId}:mailed:${secret}`;
    stateOf(ctx).csrfScope = csrfScope;
    if (ctx.method === 'POST') requireCsrf(ctx, csrfScope, (await formBody(ctx)).csrf);
    await handler({ ctx, deps, secret, ...entered });
  };
}

/** A button where the owner of the account is signed in; anywhere else six digits to type there. */
export async function openChange(opened: Opened): Promise<void> {
  const { ctx, deps, appId, root, secret } = opened;
  const change = await openEmailChange(opened);
  const session = await browserSession(deps, ctx, { appId, origin: originOf(ctx, deps) });
  const action = `${root}/identifiers/confirm/${secret}`;
  if (session?.userId === change.user_id) {
    stateOf(ctx).csrfScope = accountCsrfScope(appId, session);
    const back_url = `${root}/identifiers`;
    return showPage(ctx, deps, 'account/email-confirm', { action, email: change.new_email, back_url });
  }
  // A HEAD is no opening: nothing is drawn for it.
  const code = ctx.method === 'HEAD' ? '000000' : await drawCodeOfChange(opened, change);
  if (code === undefined) return showPage(ctx, deps, 'account/email-refused');
  const { place, device, requestedAt } = change.asked_from;
  showPage(ctx, deps, 'account/email-elsewhere', {
    code,
    place,
    device,
    requested_at: requestedAt,
    requested_at_text: null,
    refuse_action: `${action}/refuse`,
  });
}

export async function refuseChange(opened: Opened): Promise<void> {
  await refuseEmailChange(opened, authorOf(opened.ctx));
  showPage(opened.ctx, opened.deps, 'account/email-refused');
}

export async function showUndo(opened: Opened): Promise<void> {
  const { old_email: email } = await openUndo(opened);
  const action = `${opened.root}/identifiers/undo/${opened.secret}`;
  showPage(opened.ctx, opened.deps, 'account/email-undo', { action, email });
}

export async function undoChange(opened: Opened): Promise<void> {
  const { old_email: email } = await openUndo(opened);
  await undoEmailChange(opened);
  const { startUrl: start_url = null } = stateOf(opened.ctx);
  showPage(opened.ctx, opened.deps, 'account/email-undone', { email, start_url });
}
