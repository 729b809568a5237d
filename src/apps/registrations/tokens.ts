import { newId } from '../../kernel/id.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { tokenNotFound } from './errors.ts';
import { deleteToken, insertToken, type TokenRow } from './operator-store.ts';

/** An initial access token (RFC 7591 §3), shown now and never again. */
export function issueInitialToken(
  deps: AppsDeps,
  change: AppChange & { name: string; uses: number | undefined; expiresInSeconds: number | undefined },
): Promise<{ token: string; row: TokenRow }> {
  const { appId, name, uses, expiresInSeconds } = change;
  return changeApp(deps, change, async (tx) => {
    const [token, tokenId] = [newSecret(), newId('iat')];
    const row = await insertToken(tx, {
      appId,
      tokenId,
      name,
      digest: digestOf(token),
      uses,
      expiresInSeconds,
    });
    return {
      result: { token, row },
      event: 'registration_token.issued',
      details: { token_id: tokenId, name },
    };
  });
}

export function revokeInitialToken(deps: AppsDeps, change: AppChange & { tokenId: string }): Promise<void> {
  const { appId, tokenId } = change;
  return changeApp(deps, change, async (tx) => {
    if (!(await deleteToken(tx, appId, tokenId))) throw tokenNotFound();
    return { result: undefined, event: 'registration_token.revoked', details: { token_id: tokenId } };
  });
}
