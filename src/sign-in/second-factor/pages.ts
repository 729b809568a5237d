import { lookingUp } from '../../storage/database.ts';
import { enrolledFactors } from '../../users/factors/enrolled.ts';
import { goTo } from '../onward.ts';
import { sentence, show } from '../page.ts';
import { interactionPath } from '../step.ts';
import { secondFactors } from './factors.ts';
import type { PendingStep } from './on-pending.ts';
import type { FactorPage, FactorPages, SecondFactor } from './second-factor.ts';

/** What the pages of all factors have beside their own fields. */
export const factorPages: FactorPages = { challenge: showChallenge, enrolment: showEnrolment };

async function showChallenge(step: PendingStep, page: FactorPage): Promise<void> {
  const { ctx, deps, appId, pending, snapshot } = step;
  const theirs = await enrolledFactors(lookingUp(deps.db, appId), appId, pending.userId);
  const here = secondFactors.find((factor) => isHere(step, factor));
  // They have used it up, or it was taken away meanwhile: what is due is another question now.
  if (here && !theirs.includes(here.name)) return goTo(ctx, `${interactionPath(step)}/second-factor`);
  const others = secondFactors.filter((factor) => theirs.includes(factor.name) && factor !== here);
  showFactor(step, page, {
    others: others.map(({ path, labelKey }) => ({
      url: `${interactionPath(step)}/second-factor/${path}`,
      label: sentence(ctx, labelKey),
    })),
    trust_days: snapshot.app.settings.trusted_device_days,
  });
}

function showEnrolment(step: PendingStep, page: FactorPage): void {
  const { ctx, pending, snapshot } = step;
  const at = interactionPath(step);
  const others = secondFactors.filter(
    (factor) => factor.canEnrol(snapshot.app.settings) && !isHere(step, factor),
  );
  showFactor(step, page, {
    others: others.map(({ path, labelKey, enrolLabelKey }) => ({
      url: `${at}/enrol/${path}`,
      label: sentence(ctx, enrolLabelKey ?? labelKey),
    })),
    later_action: pending.laterUntil === undefined ? null : `${at}/enrol/later`,
    later_until: pending.laterUntil ?? null,
  });
}

const isHere = ({ ctx }: PendingStep, { path }: SecondFactor): boolean => ctx.path.endsWith(`/${path}`);

function showFactor(step: PendingStep, page: FactorPage, more: Record<string, unknown>): void {
  const { ctx, pending, interaction } = step;
  const at = interactionPath(step);
  const model = {
    action: ctx.path,
    start_over_action: `${at}/start-over`,
    cancel_action: `${at}/cancel`,
    client_name: interaction.client.name,
    email: pending.identifier,
    problem: page.problem === undefined ? null : sentence(ctx, page.problem, { app: step.snapshot.app.name }),
    ...more,
    ...page.model,
  };
  show(step, page.view, model, page.problem === undefined ? 200 : 400);
}
