import type { Context } from 'koa';
import type { SignInDeps } from '../deps.ts';

type Route = (ctx: Context) => Promise<void>;

/** A route that hashes: Problem `password.busy` before it reads or counts anything, while it would not get to it. */
export const whereHashed =
  ({ hasher }: Pick<SignInDeps, 'hasher'>, route: Route): Route =>
  async (ctx) => {
    hasher.requirePlace();
    await route(ctx);
  };
