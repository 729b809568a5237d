import { audit } from '../../events/audit.ts';
import { seconds } from '../../kernel/duration.ts';
import { Problem } from '../../kernel/problem.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';
import { scoped, type Transaction } from '../../storage/database.ts';
import { spend } from '../../storage/spent.ts';
import {
  countCodeOfChange,
  dropEmailChange,
  type EmailChange,
  insertEmailUndo,
  takeEmailChange,
} from '../../users/email-changes/store.ts';
import { lockUser, setEmail, userById } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { linkDead } from '../errors.ts';
import { subjectOf } from '../lockout/attempt.ts';
import { throttleNetwork } from '../lockout/network.ts';
import { countCode, MAILED_CODE, uncountCode } from '../lockout/store.ts';
import { isCode, readCode } from '../mailed-proof/code.ts';
import { CODE_TRIES, CODES_A_DAY } from '../mailed-proof/proof.ts';
import { killWaysIn } from '../mailed-proof/store.ts';
import { accountUrl, tellOwner } from '../tell-owner.ts';
import { type Owner, UNDO_HOURS } from './owner.ts';

/** Replaces the address by the one that has just been proved, once. Problem `sign_in.link_dead` otherwise. */
export async function confirmEmailChange(owner: Owner, digest: string, way: 'link' | 'code'): Promise<void> {
  const { deps, appId, session, by } = owner;
  const { userId } = session;
  await deps.db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, userId);
    const change = await takeEmailChange(tx, { appId, userId, digest });
    if (!user || user.disabledAt || !change) throw linkDead();
    const ttlSeconds = 8 * seconds.day;
    if (!(await spend(tx, { appId, kind: 'email_change', digest, ttlSeconds, note: way }))) throw linkDead();
    await replace(tx, { appId, userId, email: change.new_email });
    // An address that nobody has proved may be a stranger's: it is told nothing, and can take nothing back.
    if (user.emailVerified) await giveUndo(tx, owner, user, change);
    if (way === 'code') await uncountCode(tx, { appId, subject: subjectOf(user.email), origin: MAILED_CODE });
    await audit(tx, { ...by, appId, type: 'email.changed', userId, result: 'success', details: { way } });
    tx.afterCommit(async () => {
      await killWaysIn(deps.ephemeral, appId, user.email);
    });
  });
}

/** Problem `sign_in.link_dead` when somebody has the address by now; it ends the transaction. */
export async function replace(
  tx: Transaction,
  to: { appId: string; userId: string; email: string },
): Promise<void> {
  await setEmail(tx, { ...to, verified: true }).catch((error: unknown) => {
    throw error instanceof Problem && error.code === 'users.email_taken' ? linkDead() : error;
  });
}

async function giveUndo(tx: Transaction, owner: Owner, user: User, change: EmailChange): Promise<void> {
  const { appId } = owner;
  const secret = newSecret();
  const ttlSeconds = UNDO_HOURS * seconds.hour;
  await insertEmailUndo(tx, {
    appId,
    digest: digestOf(secret),
    userId: user.userId,
    oldEmail: user.email,
    askedAt: change.created_at,
    ttlSeconds,
  });
  await tellOwner(tx, owner, {
    user,
    template: 'email-changed',
    model: { url: accountUrl(owner, `identifiers/undo/${secret}`), expires_hours: UNDO_HOURS },
    expiresInSeconds: ttlSeconds,
  });
}

/**
 * Confirms with the six digits that another browser shows. Counted before it is compared, for the change (five) and for
 * the account (ten a day). What is wrong with it otherwise, as a key of the catalogue.
 */
export async function confirmByCode(
  owner: Owner,
  typed: string | undefined,
): Promise<'problem.code' | 'problem.code_dead' | undefined> {
  const { ctx, deps, appId, session } = owner;
  const code = readCode(typed);
  if (code === undefined) return 'problem.code';
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const q = scoped(deps.db, appId);
  const user = await userById(q, appId, session.userId);
  const change = await countCodeOfChange(q, appId, session.userId);
  if (!user || !change || change.tries > CODE_TRIES) return 'problem.code_dead';
  // Of the account that changes: the address that is asked for may be somebody else's, who keeps their own ten.
  const counted = { appId, subject: subjectOf(user.email), origin: MAILED_CODE };
  if ((await countCode(q, counted)) > CODES_A_DAY) return 'problem.code_dead';
  const { digest, code_mac: mac, tries } = change;
  if (isCode(deps.rootKeys, { digest, code }, mac ?? undefined)) {
    await confirmEmailChange(owner, digest, 'code');
    return undefined;
  }
  if (tries < CODE_TRIES) return 'problem.code';
  await dropEmailChange(q, appId, session.userId);
  return 'problem.code_dead';
}
