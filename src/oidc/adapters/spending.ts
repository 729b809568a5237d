import type { Exchanged } from '../../users/grants/rotation.ts';
import type { NewRefreshToken } from '../../users/grants/store.ts';
import { unitOfWork, type Write } from '../unit-of-work.ts';

/** What a request spends, and the refresh token that it gives for it if both can be one statement. */
export type Spending = { write: Write; token: NewRefreshToken | undefined; outcome: Exchanged | undefined };

/** Makes known what the write just added spends. */
export function beginSpending(write: Write): Spending {
  const spending: Spending = { write, token: undefined, outcome: undefined };
  unitOfWork().memo.set('spending', spending);
  return spending;
}

/** Hands the token to the write that spends, when nothing stands between: no guard may be overtaken. */
export function joinSpending(token: NewRefreshToken): Spending | undefined {
  const unit = unitOfWork();
  const spending = unit.memo.get('spending') as Spending | undefined;
  if (!spending || unit.last !== spending.write) return undefined;
  spending.token = token;
  return spending;
}
