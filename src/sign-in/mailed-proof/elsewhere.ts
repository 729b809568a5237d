import { audit } from '../../events/audit.ts';
import { scoped } from '../../storage/database.ts';
import { authorOf } from '../author.ts';
import { linkDead } from '../errors.ts';
import { show } from '../page.ts';
import type { LinkRequest } from '../step.ts';
import { drawCode, type Opened, openLink, refuseLink } from './open.ts';
import type { ProofKind } from './proof.ts';
import { REFUSED } from './store.ts';

/** The page of a browser that did not ask: a code to type elsewhere. Nothing on it signs anyone in. */
export async function showCodeElsewhere(request: LinkRequest, opened: Opened, view: string): Promise<void> {
  const { ctx } = request;
  if (ctx.method === 'HEAD') return show(request, view, modelOf(request, opened, '000000'));
  const code = await drawCode(request, opened);
  if (code === undefined) throw linkDead();
  if (code === REFUSED) return show(request, 'sign-in/magic-link/refused', {});
  show(request, view, modelOf(request, opened, code));
}

/** "It was not me": the code dies, the report goes to the trail. */
export async function showRefused(request: LinkRequest, kind: ProofKind): Promise<void> {
  const { ctx, deps, appId } = request;
  const opened = await openLink(request, kind);
  await refuseLink(request, opened);
  await audit(scoped(deps.db, appId), {
    ...authorOf(ctx),
    appId,
    type: `${kind}.reported`,
    userId: opened.proof.userId,
    result: 'success',
    details: { asked_from: opened.proof.askedFrom.place },
  });
  show(request, 'sign-in/magic-link/refused', {});
}

function modelOf({ ctx }: LinkRequest, { proof }: Opened, code: string): Record<string, unknown> {
  const { place, device, requestedAt } = proof.askedFrom;
  return {
    code,
    place,
    device,
    requested_at: requestedAt,
    requested_at_text: null,
    refuse_action: `${ctx.path}/refuse`,
  };
}
