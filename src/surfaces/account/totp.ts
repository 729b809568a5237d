import { Problem } from '../../kernel/problem.ts';
import { readCode } from '../../sign-in/mailed-proof/code.ts';
import { makeRecoveryCodes } from '../../sign-in/recovery-codes/make.ts';
import { alreadyFinished } from '../../sign-in/errors.ts';
import { enableTotp } from '../../sign-in/totp/enable.ts';
import { stepOf } from '../../sign-in/totp/one-time-code.ts';
import { dropProposal, findProposal, proposalFor } from '../../sign-in/totp/proposal.ts';
import { setupModel } from '../../sign-in/totp/setup-model.ts';
import { scoped } from '../../storage/database.ts';
import { momentInStore } from '../../users/factors/store.ts';
import { recoveryCodesOf } from '../../users/recovery-codes/store.ts';
import { userById } from '../../users/store.ts';
import { totpOf } from '../../users/totp/store.ts';
import { notSignedIn } from './errors.ts';
import { changeFactors, showCodes } from './factors.ts';
import { goBack, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

/** A new authenticator app, also in the place of another one: that works until the new one has shown a right code. */
export async function showTotpSetup(visit: Visit, problem?: string): Promise<void> {
  const { ctx, appId, deps, root, session, snapshot } = visit;
  const { userId } = session;
  if (snapshot.app.settings.second_factor === 'off') return goBack(visit, 'factors');
  const q = scoped(deps.db, appId);
  const user = await userById(q, appId, userId);
  if (!user) throw notSignedIn();
  const { seed } = await proposalFor(deps, whereOf(visit));
  if (problem !== undefined) ctx.status = 400;
  showAccount(visit, 'factors', {
    view: 'account/factor-totp',
    action: `${root}/factors/totp`,
    ...setupModel({ appName: snapshot.app.name, account: user.email, seed }),
    replaces: (await totpOf(q, appId, userId)) !== undefined,
    back_url: urlOf(visit, 'factors'),
    problem: problem === undefined ? null : sentenceOf(visit, problem),
  });
}

export async function switchTotpOn(visit: Visit): Promise<void> {
  const { appId, by, deps, form, session, snapshot } = visit;
  const { userId, sessionId } = session;
  if (snapshot.app.settings.second_factor === 'off') return goBack(visit, 'factors');
  const proposal = await findProposal(deps, whereOf(visit));
  // Switched on a moment ago by the same form, or shown too long ago: the page says which.
  if (!proposal) return goBack(visit, 'factors');
  const code = readCode(form.code);
  const now = await momentInStore(scoped(deps.db, appId));
  const step = code === undefined ? undefined : stepOf(proposal.seed, code, now);
  if (step === undefined) return showTotpSetup(visit, 'problem.totp_setup');
  let codes: string[] = [];
  try {
    const user = await changeFactors(visit, async (tx) => {
      const replaces = (await totpOf(tx, appId, userId)) !== undefined;
      await enableTotp(tx, deps, { appId, userId, proposal, step, by, sessionId });
      // Whoever has the phone it was on may be signed in with it.
      const exceptSessionUid = session.uid;
      if (replaces)
        await deps.access.endUserAccess(tx, { appId, userId, why: 'factor_replaced', exceptSessionUid });
      const { remaining } = await recoveryCodesOf(tx, appId, userId);
      if (remaining === 0) codes = await makeRecoveryCodes(tx, { appId, userId, by, sessionId });
      return 'totp-enabled';
    });
    await dropProposal(deps, whereOf(visit));
    if (codes.length) return showCodes(visit, user, codes);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== alreadyFinished().code) throw error;
    // The same form came twice: what the person wants is true already, or was and is so no more.
    if (!(await totpOf(scoped(deps.db, appId), appId, userId)))
      return showTotpSetup(visit, 'problem.totp_setup');
  }
  goBack(visit, 'factors', 'totp_enabled');
}

const whereOf = ({ appId, session }: Visit) => ({ appId, userId: session.userId, where: session.uid });
