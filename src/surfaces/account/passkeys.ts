import { originOf } from '../../http/site.ts';
import {
  addPasskeyIn,
  beginEnrolment,
  type Enrolment,
  judgeEnrolment,
  passkeyName,
} from '../../sign-in/passkeys/enrol.ts';
import { sentenceFor } from '../../sign-in/passkeys/sentences.ts';
import { relyingPartyAt } from '../../sign-in/passkeys/relying-party.ts';
import { makeMissingCodes } from '../../sign-in/recovery-codes/make.ts';
import { removeOwnPasskey } from '../../sign-in/passkeys/remove.ts';
import { scoped } from '../../storage/database.ts';
import { passkeysOf, renamePasskey } from '../../users/passkeys/store.ts';
import { lockUser, userById } from '../../users/store.ts';
import { notSignedIn } from './errors.ts';
import { showCodes } from './factors.ts';
import { goBack, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

export async function showPasskeys(visit: Visit, problem?: string): Promise<void> {
  const { ctx, deps, root, appId, snapshot, session } = visit;
  const passkeys = await passkeysOf(scoped(deps.db, appId), { appId, userId: session.userId });
  const { rpId } = relyingPartyAt(deps.baseUrl, snapshot, originOf(ctx, deps));
  if (problem !== undefined) ctx.status = 400;
  showAccount(visit, 'passkeys', {
    passkeys: passkeys.map((one) => ({
      name: one.name,
      created_at: one.createdAt.toISOString(),
      last_used_at: one.lastUsedAt?.toISOString() ?? null,
      is_synced: one.backupEligible,
      // Made where the app was before, it does not work here.
      host: one.rpId === rpId ? null : one.rpId,
      rename_action: `${root}/passkeys/${one.passkeyId}/rename`,
      remove_action: `${root}/passkeys/${one.passkeyId}/remove`,
    })),
    add_url: urlOf(visit, 'passkeys/new'),
    problem: problem === undefined ? null : sentenceOf(visit, problem),
  });
}

export async function showNewPasskey(visit: Visit, problem?: string): Promise<void> {
  const { ctx, appId, deps, root, session } = visit;
  const user = await userById(scoped(deps.db, appId), appId, session.userId);
  if (!user) throw notSignedIn();
  if (problem !== undefined) ctx.status = 400;
  showAccount(visit, 'passkeys', {
    view: 'account/passkey-new',
    action: `${root}/passkeys/new`,
    options: JSON.stringify(await beginEnrolment(enrolmentIn(visit), user)),
    back_url: urlOf(visit, 'passkeys'),
    problem: problem === undefined ? null : sentenceOf(visit, problem),
  });
}

export async function addPasskey(visit: Visit): Promise<void> {
  try {
    const at = enrolmentIn(visit);
    const judged = await judgeEnrolment(at, visit.form.credential);
    const { appId, by, session, snapshot } = visit;
    const { userId, sessionId } = session;
    const { second_factor: policy } = snapshot.app.settings;
    const { user, codes } = await visit.deps.db.transaction(appId, async (tx) => {
      const locked = await lockUser(tx, appId, userId);
      if (!locked) throw notSignedIn();
      await addPasskeyIn(tx, at, judged, by);
      return { user: locked, codes: await makeMissingCodes(tx, { appId, userId, by, sessionId, policy }) };
    });
    // Where two proofs are required it is one of them: what to do on the day it is lost comes with it.
    if (codes.length > 0) return showCodes(visit, user, codes);
  } catch (error) {
    return showNewPasskey(visit, sentenceFor(error));
  }
  goBack(visit, 'passkeys', 'passkey_added');
}

/** One that is not there, or is somebody else's, stays as it is: the list shows what there is. */
export async function nameAnew(visit: Visit): Promise<void> {
  const { appId, deps, form, session } = visit;
  const name = passkeyName(form.name);
  if (name !== undefined)
    await renamePasskey(scoped(deps.db, appId), {
      appId,
      userId: session.userId,
      passkeyId: passkeyIdOf(visit),
      name,
    });
  goBack(visit, 'passkeys', name === undefined ? undefined : 'passkey_renamed');
}

export async function removePasskey(visit: Visit): Promise<void> {
  const { ctx, deps, snapshot, session, by } = visit;
  let isRemoved: boolean;
  try {
    isRemoved = await removeOwnPasskey({
      ctx,
      deps,
      snapshot,
      by,
      userId: session.userId,
      passkeyId: passkeyIdOf(visit),
      sessionUid: session.uid,
    });
  } catch (error) {
    return showPasskeys(visit, sentenceFor(error));
  }
  goBack(visit, 'passkeys', isRemoved ? 'passkey_removed' : undefined);
}

const enrolmentIn = ({ ctx, deps, snapshot, session }: Visit): Enrolment => ({
  ctx,
  deps,
  snapshot,
  userId: session.userId,
  subject: session.uid,
});

function passkeyIdOf({ ctx }: Visit): string {
  const { passkey_id: passkeyId = '' } = ctx.params as Record<string, string>;
  return passkeyId;
}
