import type { errors, KoaContextWithOIDC } from 'oidc-provider';
import { audit } from '../../events/audit.ts';
import { clientAddress } from '../../http/client-address.ts';
import { stateOf } from '../../http/request-state.ts';
import { unitOfWork } from '../unit-of-work.ts';
import type { Seen } from './act.ts';

/** One row for each exchange and each refusal, in the transaction of the request: no token leaves without its row. */
export function recordExchange(
  ctx: KoaContextWithOIDC,
  appId: string,
  { subject, act, target, refused }: Seen & { refused: errors.OIDCProviderError | undefined },
): void {
  const clientId = ctx.oidc.client!.clientId;
  unitOfWork().add((tx) =>
    audit(tx, {
      appId,
      type: refused ? 'token.exchange_refused' : 'token.exchanged',
      actor: { type: 'client', id: clientId },
      userId: subject?.token.accountId,
      clientId,
      result: refused ? 'failure' : 'success',
      address: clientAddress(ctx),
      userAgent: ctx.get('user-agent') || undefined,
      requestId: stateOf(ctx).requestId,
      details: {
        ...(refused ? { error: refused.error, reason: refused.error_description } : {}),
        ...(subject ? { subject: subject.claims.sub, subject_client: subject.claims['client_id'] } : {}),
        ...(subject?.claims.jti ? { subject_jti: subject.claims.jti } : {}),
        ...(act ? { act } : {}),
        ...(target ? { audience: target } : {}),
      },
    }),
  );
}
