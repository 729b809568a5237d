import { scoped } from '../../storage/database.ts';
import { digestOf } from '../../kernel/secret.ts';
import { linkDead } from '../errors.ts';
import { subjectOf } from '../lockout/attempt.ts';
import { codesToday } from '../lockout/store.ts';
import { paramOf, type LinkRequest } from '../step.ts';
import { codeOf, macOfCode } from './code.ts';
import { CODES_A_DAY, type Proof, type ProofKind } from './proof.ts';
import { findProof, keepCode, REFUSED, refuseCode } from './store.ts';

export type Opened = { proof: Proof; secret: string; remainingSeconds: number };

/** The live link of this URL. Problem `sign_in.link_dead` otherwise. Spends nothing. */
export async function openLink(request: LinkRequest, kind: ProofKind): Promise<Opened> {
  const secret = paramOf(request.ctx, 'secret');
  const found = await findProof(request.deps.ephemeral, {
    appId: request.appId,
    digest: digestOf(secret),
    kind,
  });
  // A link belongs to the interaction in its address; moved to another one it is nothing.
  if (!found || found.proof.uidDigest !== digestOf(request.uid)) throw linkDead();
  return { ...found, secret };
}

/**
 * The code for a browser other than the one that asked, drawn at the first opening. `refused` once somebody said
 * that it was not them; undefined when the account has had too many wrong codes today.
 */
export async function drawCode(
  request: LinkRequest,
  { proof, secret, remainingSeconds }: Opened,
): Promise<string | undefined> {
  const { deps, appId } = request;
  const { digest, kind, email } = proof;
  if ((await codesToday(scoped(deps.db, appId), appId, subjectOf(email))) >= CODES_A_DAY) return undefined;
  const code = codeOf(deps.rootKeys, appId, secret);
  const kept = await keepCode(
    deps.ephemeral,
    { appId, digest, kind },
    macOfCode(deps.rootKeys, digest, code),
    remainingSeconds,
  );
  return kept === REFUSED ? REFUSED : code;
}

/**
 * "It was not me": nobody gets in with this link's code any more. The link still works in the browser that
 * asked, where whoever opens it holds both the browser and the mail; so a scanner that presses this button
 * takes nothing from the person (design §6: spends nothing, whatever opens it).
 */
export async function refuseLink(request: LinkRequest, { proof, remainingSeconds }: Opened): Promise<void> {
  const { digest, kind } = proof;
  await refuseCode(request.deps.ephemeral, { appId: request.appId, digest, kind }, remainingSeconds);
}
