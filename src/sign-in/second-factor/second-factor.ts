import type Router from '@koa/router';
import type { AppSettings } from '../../apps/app.ts';
import type { FactorName } from '../../users/factors/enrolled.ts';
import type { SignInDeps } from '../deps.ts';

/** One way to show, or to set up, a second factor while signing in. */
export type SecondFactor = {
  name: FactorName;
  /** Where it is shown: `…/second-factor/{path}`; and set up, where it can be: `…/enrol/{path}`. */
  path: string;
  /** Key of the words on the link that leads there from another one. */
  labelKey: string;
  /** Whether people of this app can set it up while signing in. */
  canEnrol(settings: AppSettings): boolean;
  /** Its pages below `/auth/:app_id/interaction/:uid`, guarded by `onPending`. */
  mount(router: Router, deps: SignInDeps): void;
};
