import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import { digestOf } from '../../kernel/secret.ts';
import { scoped } from '../../storage/database.ts';
import {
  type EmailChange,
  emailChangeByDigest,
  keepCodeOfChange,
  refuseCodeOfChange,
} from '../../users/email-changes/store.ts';
import type { SignInDeps } from '../deps.ts';
import { linkDead } from '../errors.ts';
import { codeOf, macOfCode } from '../mailed-proof/code.ts';
import { REFUSED } from '../mailed-proof/store.ts';

type At = { deps: Pick<SignInDeps, 'db' | 'rootKeys'>; appId: string; secret: string };

/** The live change that this link would confirm. Problem `sign_in.link_dead` otherwise. Spends nothing. */
export async function openEmailChange({ deps, appId, secret }: At): Promise<EmailChange> {
  const change = await emailChangeByDigest(scoped(deps.db, appId), appId, digestOf(secret));
  if (!change) throw linkDead();
  return change;
}

/** For a browser where the owner of the account is not signed in; drawn when it is first asked for. undefined: refused. */
export async function drawCodeOfChange(at: At, { digest }: EmailChange): Promise<string | undefined> {
  const { deps, appId, secret } = at;
  const code = codeOf(deps.rootKeys, appId, secret);
  const mac = macOfCode(deps.rootKeys, digest, code);
  const kept = await keepCodeOfChange(scoped(deps.db, appId), { appId, digest, mac });
  if (kept === undefined) throw linkDead();
  return kept === REFUSED ? undefined : code;
}

/** "It was not me": the code is dead. The link still works for the owner of the account, so a scanner takes nothing. */
export async function refuseEmailChange(at: At, by: Author): Promise<void> {
  const { deps, appId } = at;
  const change = await openEmailChange(at);
  await deps.db.transaction(appId, async (tx) => {
    await refuseCodeOfChange(tx, appId, change.digest);
    const { user_id: userId } = change;
    await audit(tx, { ...by, appId, type: 'email.change_reported', userId, result: 'success' });
  });
}
