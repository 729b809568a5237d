import type { Context } from 'koa';
import type { Author } from '../events/author.ts';
import { clientAddress } from '../http/client-address.ts';

/** Where a request came from, for the audit trail. Nobody is signed in yet. */
export function authorOf(ctx: Context): Author {
  return {
    actor: { type: 'anonymous' },
    address: clientAddress(ctx),
    userAgent: ctx.get('User-Agent').slice(0, 512) || undefined,
    requestId: ctx.state.requestId as string | undefined,
  };
}
