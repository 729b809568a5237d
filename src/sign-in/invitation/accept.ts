import { audit } from '../../events/audit.ts';
import { digestOf } from '../../kernel/secret.ts';
import { type Queryable, scoped, type Transaction } from '../../storage/database.ts';
import { isSpent, spend } from '../../storage/spent.ts';
import { forgetDevices } from '../../users/devices/store.ts';
import { dropEmailChange } from '../../users/email-changes/store.ts';
import { removeAllFactors } from '../../users/factors/remove.ts';
import { passwordHashOf, setPassword } from '../../users/passwords/store.ts';
import { lockUser, markEmailVerified, userById } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { authorOf } from '../author.ts';
import { linkDead } from '../errors.ts';
import { paramOf, type PageRequest } from '../step.ts';
import { storeClock } from './store.ts';
import { type Invitation, readInvitation } from './token.ts';

/** The live invitation of this URL. Problem `sign_in.link_dead` otherwise. Spends nothing. */
export async function openInvitation(request: PageRequest): Promise<Invitation> {
  const { deps, appId } = request;
  const q = scoped(deps.db, appId);
  const invitation = invitationOf(request);
  const user = await userById(q, appId, invitation.userId);
  await requireOpen(q, invitation, user);
  if (
    await isSpent(
      q,
      appId,
      'invitation',
      digestOf(invitation.email + invitation.userId + invitation.expiresAt),
    )
  )
    throw linkDead();
  return invitation;
}

/**
 * Sets the password and verifies the address, once. Problem `sign_in.link_dead` when the invitation was used, has
 * expired, or the account has been set up or given another address since.
 */
export async function acceptInvitation(request: PageRequest, password: string): Promise<void> {
  const { ctx, deps, appId } = request;
  const invitation = invitationOf(request);
  const { userId, email, expiresAt } = invitation;
  const hash = await deps.hasher.hash(password);
  await deps.db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, userId);
    await requireOpen(tx, invitation, user);
    const ttlSeconds = Math.ceil(expiresAt - (await storeClock(tx))) + 60;
    if (
      !(await spend(tx, {
        appId,
        kind: 'invitation',
        digest: digestOf(email + userId + expiresAt),
        ttlSeconds,
      }))
    )
      throw linkDead();
    if (!user!.emailVerified) await takeOver(tx, request, userId);
    await setPassword(tx, { appId, userId, hash });
    await markEmailVerified(tx, appId, userId, email);
    const actor = { type: 'user' as const, id: userId };
    await audit(tx, {
      ...authorOf(ctx),
      appId,
      type: 'invitation.accepted',
      actor,
      userId,
      result: 'success',
    });
  });
}

/**
 * The first proof of the address. An account that came from elsewhere with a password may have had somebody else in it
 * since (Sudhodanan & Paverd 2022): nothing of theirs stays.
 */
async function takeOver(tx: Transaction, { deps, appId }: PageRequest, userId: string): Promise<void> {
  await removeAllFactors(tx, appId, userId);
  await dropEmailChange(tx, appId, userId);
  await forgetDevices(tx, appId, userId);
  await deps.access.endUserAccess(tx, { appId, userId, why: 'email_verified' });
}

function invitationOf({ ctx, deps, appId }: PageRequest): Invitation {
  const invitation = readInvitation(deps.rootKeys, appId, paramOf(ctx, 'secret'));
  if (!invitation) throw linkDead();
  return invitation;
}

async function requireOpen(q: Queryable, invitation: Invitation, user: User | undefined): Promise<void> {
  const isOver = invitation.expiresAt <= (await storeClock(q));
  if (isOver || !user || user.disabledAt || user.email !== invitation.email) throw linkDead();
  // Several may be on their way; the first one that is accepted ends the others.
  if (user.emailVerified && (await passwordHashOf(q, user.appId, user.userId)) !== undefined)
    throw linkDead();
}
