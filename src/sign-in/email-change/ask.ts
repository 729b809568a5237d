import { audit } from '../../events/audit.ts';
import { localeOf } from '../../http/page.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';
import { scoped } from '../../storage/database.ts';
import { dropEmailChange, putEmailChange } from '../../users/email-changes/store.ts';
import { lockUser, userByEmail } from '../../users/store.ts';
import { askedFrom } from '../asked-from.ts';
import { throttleNetwork } from '../lockout/network.ts';
import { MAILS_PER_WINDOW } from '../mailed-proof/proof.ts';
import { countMail } from '../mailed-proof/store.ts';
import { accountUrl, tellOwner } from '../tell-owner.ts';
import type { Owner } from './owner.ts';

/**
 * Keeps the change and mails its link to the new address; one that has an account gets a mail that says so, and the same
 * is kept and shown. False when it is the present address. Problem `sign_in.too_many` per network.
 */
export async function askForEmailChange(owner: Owner, email: string): Promise<boolean> {
  const { ctx, deps, appId, snapshot, session, by } = owner;
  await throttleNetwork(deps, ctx, { appId, what: 'mails' });
  const isWithinLimit = (await countMail(deps.ephemeral, appId, email)) <= MAILS_PER_WINDOW;
  const holder = await userByEmail(scoped(deps.db, appId), appId, email);
  const secret = newSecret();
  const ttlSeconds = snapshot.app.settings.email_verification_ttl;
  return deps.db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, session.userId);
    if (!user || user.email === email) return false;
    await putEmailChange(tx, {
      appId,
      userId: user.userId,
      digest: digestOf(secret),
      email,
      isOpen: holder === undefined,
      askedFrom: askedFrom(ctx),
      ttlSeconds,
    });
    const link = accountUrl(owner, `identifiers/confirm/${secret}`);
    await tellOwner(tx, owner, {
      user: holder ?? { email, locale: user.locale ?? localeOf(ctx) },
      template: holder ? 'email-change-taken' : 'email-change',
      model: { ...(holder ? {} : { url: link }), expires_hours: Math.round(ttlSeconds / seconds.hour) || 1 },
      expiresInSeconds: ttlSeconds,
      discard: !isWithinLimit || holder?.disabledAt !== undefined,
    });
    const { userId } = user;
    const result = isWithinLimit ? 'success' : 'failure';
    await audit(tx, { ...by, appId, type: 'email.change_requested', userId, result });
    return true;
  });
}

/** The person thought better of it. */
export async function cancelEmailChange({ deps, appId, session, by }: Owner): Promise<void> {
  const { userId } = session;
  await deps.db.transaction(appId, async (tx) => {
    if (!(await dropEmailChange(tx, appId, userId))) return;
    await audit(tx, { ...by, appId, type: 'email.change_cancelled', userId, result: 'success' });
  });
}
