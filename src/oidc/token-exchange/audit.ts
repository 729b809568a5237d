import type { errors } from 'oidc-provider';
import { audit } from '../../events/audit.ts';
import { protocolAuthor } from '../author.ts';
import { unitOfWork } from '../unit-of-work.ts';
import type { Seen } from './act.ts';

/** One row for each exchange and each refusal, in the transaction of the request: no token leaves without its row. */
export function recordExchange(
  appId: string,
  { subject, act, target, refused }: Seen & { refused: errors.OIDCProviderError | undefined },
): void {
  const by = protocolAuthor();
  unitOfWork().add((tx) =>
    audit(tx, {
      appId,
      type: refused ? 'token.exchange_refused' : 'token.exchanged',
      ...by,
      userId: subject?.token.accountId,
      result: refused ? 'failure' : 'success',
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
