import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import type { Author } from '../../events/author.ts';
import type { SignInDeps } from '../deps.ts';

/** Somebody who is signed in, at the page where addresses are changed. */
export type Owner = {
  ctx: Context;
  deps: Pick<SignInDeps, 'db' | 'ephemeral' | 'config' | 'mail' | 'places' | 'rootKeys' | 'networkLimits'>;
  appId: string;
  snapshot: AppSnapshot;
  session: { uid: string; userId: string };
  by: Author;
};

/** How long the old address can undo it. */
export const UNDO_HOURS = 72;
