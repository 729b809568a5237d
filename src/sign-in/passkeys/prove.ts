import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import { audit } from '../../events/audit.ts';
import { originOf } from '../../http/site.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import { type Database, scoped, type Transaction } from '../../storage/database.ts';
import type { PasskeyKey } from '../../users/passkeys/passkey.ts';
import { passkeyByCredential, recordUse } from '../../users/passkeys/store.ts';
import { userById } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { authorOf } from '../author.ts';
import { signInRefused } from '../errors.ts';
import { judgeAssertion, readAssertion } from './assertion.ts';
import {
  CHALLENGE_SECONDS,
  type ChallengeFor,
  isChallengeFor,
  newChallenge,
  spendChallenge,
} from './challenge.ts';
import { relyingPartyAt } from './relying-party.ts';

/** A page that asks for a passkey. */
export type Asking = {
  ctx: Context;
  deps: { db: Database; rootKeys: RootKeys; config: { baseUrl: string } };
  snapshot: AppSnapshot;
  /** The interaction. */
  uid: string;
};
type Purpose = Exclude<ChallengeFor['purpose'], 'registration'>;

/** A passkey that was shown and holds; nothing is spent yet. */
export type Proved = {
  user: User;
  passkey: PasskeyKey;
  amr: string[];
  /** Once, in the transaction that signs in. Problem `sign_in.refused` when another request was first. */
  spend(tx: Transaction): Promise<User | undefined>;
};
export type NotProved = {
  reason: 'passkey_unknown' | 'passkey_invalid' | 'passkey_counter' | 'passkey_late';
  userId?: string | undefined;
};

/** What the browser is given (WebAuthn L3 §5.5). No list of credentials: nobody is told whether there is one. */
export function requestOptions({ ctx, deps, snapshot, uid }: Asking, purpose: Purpose) {
  const { appId } = snapshot.app;
  const challenge = newChallenge(deps.rootKeys, { appId, purpose, subject: uid });
  return {
    challenge: challenge.toString('base64url'),
    rpId: relyingPartyAt(deps.config.baseUrl, snapshot, originOf(ctx, deps.config)).rpId,
    timeout: CHALLENGE_SECONDS * 1000,
    userVerification: 'required',
    allowCredentials: [],
  };
}

/** Looks at what the browser brought. The same statements and the same signature check for any credential. */
export async function provePasskey(
  asking: Asking,
  purpose: Purpose,
  credential: string | undefined,
): Promise<Proved | NotProved> {
  const { ctx, deps, snapshot, uid } = asking;
  const { appId } = snapshot.app;
  const assertion = readAssertion(credential);
  if (!assertion) return { reason: 'passkey_invalid' };
  const { challenge } = assertion;
  if (!isChallengeFor(deps.rootKeys, { appId, purpose, subject: uid }, challenge))
    return { reason: 'passkey_late' };
  const q = scoped(deps.db, appId);
  const passkey = await passkeyByCredential(q, appId, assertion.id);
  const user = await userById(q, appId, passkey?.userId ?? 'usr_nobody');
  const party = relyingPartyAt(deps.config.baseUrl, snapshot, originOf(ctx, deps.config));
  const verdict = await judgeAssertion(assertion, party, passkey);
  if (!verdict.ok) {
    if (verdict.reason === 'counter') await reportCopy(asking, passkey!);
    return { reason: `passkey_${verdict.reason}`, userId: passkey?.userId };
  }
  if (!user || !passkey) return { reason: 'passkey_unknown' };
  const { counter, backedUp } = verdict;
  return {
    user,
    passkey,
    amr: amrOf(passkey),
    async spend(tx) {
      if (!(await spendChallenge(tx, appId, challenge))) throw signInRefused();
      const { passkeyId, userId } = passkey;
      if (!(await recordUse(tx, { appId, passkeyId, counter, backedUp }))) throw signInRefused();
      return userById(tx, appId, userId);
    },
  };
}

/** RFC 8176. A key that may be copied to other devices is at home in software. User verification makes it two factors. */
export const amrOf = ({ backupEligible }: { backupEligible: boolean }): string[] => [
  backupEligible ? 'swk' : 'hwk',
  'user',
  'mfa',
];

/** A counter that went back means that there are two of what should be one (WebAuthn L3 §6.1.1): operators hear of it. */
async function reportCopy({ ctx, deps, snapshot }: Asking, { passkeyId, userId, name }: PasskeyKey) {
  const { appId } = snapshot.app;
  await audit(scoped(deps.db, appId), {
    ...authorOf(ctx),
    appId,
    type: 'passkey.counter_went_back',
    userId,
    result: 'failure',
    details: { passkey_id: passkeyId, name },
  });
}
