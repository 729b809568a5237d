import type { Transaction } from '../../storage/database.ts';
import { scoped } from '../../storage/database.ts';
import { spend } from '../../storage/spent.ts';
import { deviceOf } from '../device-cookie.ts';
import { linkDead } from '../errors.ts';
import { subjectOf } from '../lockout/attempt.ts';
import { throttleNetwork } from '../lockout/network.ts';
import { countCode, MAILED_CODE, uncountCode } from '../lockout/store.ts';
import { refuseSignIn } from '../refuse.ts';
import type { Step } from '../step.ts';
import { isCode, readCode } from './code.ts';
import { CODE_TRIES, CODES_A_DAY, type Proof, type ProofKind } from './proof.ts';
import { codeMac, countTry, digestHere, findProof, killProof } from './store.ts';

export type CodeTry = { right: Proof } | { wrong: 'problem.code' | 'problem.code_dead' };

/**
 * Compares a typed code with that of the link mailed for this interaction. Every try is counted before it is
 * compared, for the link (five) and for the account (ten a day), so parallel tries get no extra ones. The
 * same work when nobody was mailed. Right means nothing before `spendProof` has won.
 */
export async function tryCode(step: Step, kind: ProofKind): Promise<CodeTry> {
  const { ctx, deps, appId, uid } = step;
  const code = readCode(step.form.code);
  if (code === undefined) return { wrong: 'problem.code' };
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const digest = await digestHere(deps.ephemeral, { appId, uid, kind });
  const found = digest === undefined ? undefined : await findProof(deps.ephemeral, { appId, digest, kind });
  if (!found) return refused(step, kind, 'code_dead');
  const { proof, remainingSeconds } = found;
  const at = { appId, digest: proof.digest, kind };
  const tries = await countTry(deps.ephemeral, at, remainingSeconds);
  if (tries > CODE_TRIES) return refused(step, kind, 'code_dead');
  const countedAs = originOfCode(step, proof);
  const subject = subjectOf(proof.email);
  const today = await countCode(scoped(deps.db, appId), { appId, subject, origin: countedAs });
  if (today > CODES_A_DAY) return refused(step, kind, 'code_dead');
  if (isCode(deps.rootKeys, { digest: proof.digest, code }, await codeMac(deps.ephemeral, at)))
    return { right: { ...proof, countedAs } };
  if (tries >= CODE_TRIES) await killProof(deps.ephemeral, at);
  return refused(step, kind, tries >= CODE_TRIES ? 'code_dead' : 'code_wrong', proof.userId);
}

/** Spends a link, by itself or by its code: both are one thing, of which exactly one use wins. */
export async function spendProof(
  tx: Transaction,
  appId: string,
  proof: Proof,
  way: 'link' | 'code',
): Promise<void> {
  const { kind, digest, email } = proof;
  // Longer than any link lives, so that no store that brings one back brings back its use.
  const ttlSeconds = 8 * 24 * 3600;
  if (!(await spend(tx, { appId, kind, digest, ttlSeconds, note: way }))) throw linkDead();
  if (way === 'code')
    await uncountCode(tx, { appId, subject: subjectOf(email), origin: proof.countedAs ?? MAILED_CODE });
}

/** A device the person signed in from before has ten mailed codes a day of its own: strangers can not use them up. */
function originOfCode({ ctx, deps, appId }: Step, { kind, asker }: Proof): string {
  const device = kind === 'email_code' && asker === 'known' ? deviceOf(ctx, deps.config, appId) : undefined;
  return device === undefined ? MAILED_CODE : `${MAILED_CODE}:${device}`;
}

async function refused(
  step: Step,
  method: string,
  reason: 'code_wrong' | 'code_dead',
  userId?: string,
): Promise<CodeTry> {
  await refuseSignIn(step, { method, reason, userId });
  return { wrong: reason === 'code_wrong' ? 'problem.code' : 'problem.code_dead' };
}
