import type Router from '@koa/router';
import type { AppSettings } from '../../apps/app.ts';
import type { FactorName } from '../../users/factors/enrolled.ts';
import type { SignInDeps } from '../deps.ts';
import type { PendingStep } from './on-pending.ts';

/** A page of one factor; `problem`: a key of the catalogue for what was wrong with the last try. */
export type FactorPage = { view: string; model?: Record<string, unknown>; problem?: string | undefined };

/** Shows a factor's page with what all of them have: other factors, later, somebody else, cancel. */
export type ShowFactor = (step: PendingStep, page: FactorPage) => Promise<void> | void;

export type FactorPages = {
  /** Where a factor is shown. */
  challenge: ShowFactor;
  /** Where one is set up. */
  enrolment: ShowFactor;
};

/** One way to show, or to set up, a second factor while signing in. */
export type SecondFactor = {
  name: FactorName;
  /** Where it is shown: `…/second-factor/{path}`; and set up, where it can be: `…/enrol/{path}`. */
  path: string;
  /** Keys of the words on the links that lead there from another one. */
  labelKey: string;
  enrolLabelKey?: string | undefined;
  /** Whether people of this app can set it up while signing in. */
  canEnrol(settings: AppSettings): boolean;
  /** Its pages below `/auth/:app_id/interaction/:uid`, guarded by `onPending`. */
  mount(router: Router, deps: SignInDeps, pages: FactorPages): void;
};
