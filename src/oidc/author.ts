import type { Context } from 'koa';
import { Provider } from 'oidc-provider';
import { stateOf } from '../http/request-state.ts';
import { type ProtocolAuthor, unitOfWork } from './unit-of-work.ts';

/**
 * Which client does something at a protocol endpoint and from where, for the audit trail. To be asked while the request
 * is computed: the writes of its end are no place to look for it.
 */
export function protocolAuthor(): ProtocolAuthor {
  const ctx = Provider.ctx;
  if (!ctx) return unitOfWork().author ?? { actor: { type: 'anonymous' } };
  return authorOf(ctx, ctx.oidc?.client?.clientId);
}

export function authorOf(ctx: Pick<Context, 'req' | 'get'>, clientId: string | undefined): ProtocolAuthor {
  const { clientAddress, requestId } = stateOf(ctx);
  return {
    actor: clientId === undefined ? { type: 'anonymous' } : { type: 'client', id: clientId },
    clientId,
    address: clientAddress,
    userAgent: ctx.get('user-agent').slice(0, 512) || undefined,
    requestId,
  };
}
