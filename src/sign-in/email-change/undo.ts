import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import { audit } from '../../events/audit.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf } from '../../kernel/secret.ts';
import { scoped } from '../../storage/database.ts';
import { spend } from '../../storage/spent.ts';
import { forgetDevices } from '../../users/devices/store.ts';
import {
  dropEmailChange,
  type EmailUndo,
  emailUndoByDigest,
  takeEmailUndo,
} from '../../users/email-changes/store.ts';
import { removeFactorsSince } from '../../users/factors/remove.ts';
import { removePassword } from '../../users/passwords/store.ts';
import { lockUser } from '../../users/store.ts';
import { authorOf } from '../author.ts';
import type { SignInDeps } from '../deps.ts';
import { linkDead } from '../errors.ts';
import { tellOwner } from '../tell-owner.ts';
import { replace } from './confirm.ts';

type At = {
  ctx: Context;
  deps: Pick<SignInDeps, 'db' | 'config' | 'mail' | 'places'> & {
    access: Pick<SignInDeps['access'], 'endUserAccess'>;
  };
  appId: string;
  snapshot: AppSnapshot;
  secret: string;
};

/** The live undo of this link. Problem `sign_in.link_dead` otherwise. Spends nothing. */
export async function openUndo({ deps, appId, secret }: Pick<At, 'deps' | 'appId' | 'secret'>) {
  const undo = await emailUndoByDigest(scoped(deps.db, appId), appId, digestOf(secret));
  if (!undo) throw linkDead();
  return undo;
}

/**
 * Whoever reads the old address says that it was not them who changed it. It is the address again, whatever came after,
 * and nothing stays of whoever was in: sessions, tokens, the password, what was enrolled around that time, pending
 * changes, and the undo links of later changes. Once. Problem `sign_in.link_dead` otherwise.
 */
export async function undoEmailChange(at: At): Promise<void> {
  const { ctx, deps, appId, snapshot } = at;
  const digest = digestOf(at.secret);
  await deps.db.transaction(appId, async (tx) => {
    const undo = await emailUndoByDigest(tx, appId, digest);
    const user = undo && (await lockUser(tx, appId, undo.user_id));
    if (!user || user.disabledAt) throw linkDead();
    const { userId } = user;
    const ttlSeconds = 8 * seconds.day;
    const isFirst = await spend(tx, { appId, kind: 'email_undo', digest, ttlSeconds });
    if (!isFirst || !(await takeEmailUndo(tx, appId, digest))) throw linkDead();
    if (user.email !== undo.old_email) await replace(tx, { appId, userId, email: undo.old_email });
    await dropEmailChange(tx, appId, userId);
    await removePassword(tx, appId, userId);
    await removeFactorsSince(tx, { appId, userId, since: enrolledAround(undo) });
    await forgetDevices(tx, appId, userId);
    await deps.access.endUserAccess(tx, { appId, userId, why: 'email_change_undone' });
    for (const to of new Set([undo.old_email, user.email]))
      await tellOwner(tx, { ctx, deps, snapshot }, { user, to, template: 'email-change-undone' });
    const actor = { type: 'user' as const, id: userId };
    const type = 'email.change_undone';
    await audit(tx, { ...authorOf(ctx), appId, type, actor, userId, result: 'success' });
  });
}

/** Whoever changed the address was in the account before that; how long, nobody knows. */
const enrolledAround = ({ asked_at }: EmailUndo): Date => new Date(asked_at.getTime() - seconds.day * 1000);
