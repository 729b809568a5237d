import type Router from '@koa/router';
import type { AppSettings } from '../apps/app.ts';
import type { MessageValues } from '../http/messages.ts';
import type { SignInDeps } from './deps.ts';
import type { Step } from './step.ts';

/** What was wrong with the last try: a sentence of the catalogue, and the address as it was typed. */
export type SignInFault = { key: string; values?: MessageValues; email?: string; field?: 'passkey' };

/** Shows the sign-in page with every method that the app offers. */
export type ShowSignIn = (step: Step, fault?: SignInFault) => void;

/** One way to sign in. Its folder is known to `methods.ts` and to nobody else. */
export type Method = {
  name: string;
  isOffered(settings: AppSettings): boolean;
  /** Adds its pages below `/auth/:app_id/interaction/:uid`. */
  mount(router: Router, deps: SignInDeps, showSignIn: ShowSignIn): void;
  /** What it adds to the sign-in page; `at` is the interaction's path. */
  offer(at: string, settings: AppSettings, step: Step): Record<string, unknown>;
};
