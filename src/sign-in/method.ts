import type Router from '@koa/router';
import type { AppSettings } from '../apps/app.ts';
import type { SignInDeps } from './deps.ts';

/** One way to sign in. Its folder is known to `methods.ts` and to nobody else. */
export type Method = {
  name: string;
  isOffered(settings: AppSettings): boolean;
  /** Adds its pages below `/auth/:app_id/interaction/:uid`. */
  mount(router: Router, deps: SignInDeps): void;
  /** What it adds to the sign-in page; `at` is the interaction's path. */
  offer(at: string, settings: AppSettings): Record<string, unknown>;
};
