import { seal, type RootKeys, unseal } from '../../kernel/secret.ts';

/** What an invitation's link says by itself; it is kept nowhere, so it outlives every store but the keys. */
export type Invitation = { userId: string; email: string; expiresAt: number };

const whereOf = (appId: string) => ({ appId, table: 'invitation', row: '', column: 'link' });

/** Sealed and bound to the app: it can be neither read, nor changed, nor used elsewhere. `expiresAt`: epoch seconds. */
export function writeInvitation(rootKeys: RootKeys, appId: string, invitation: Invitation): string {
  const { userId, email, expiresAt } = invitation;
  const envelope = seal(rootKeys, whereOf(appId), JSON.stringify([userId, email, expiresAt]));
  // Once more, so that nothing but letters, digits, - and _ is in the link: mail programs cut links at other signs.
  return Buffer.from(envelope).toString('base64url');
}

export function readInvitation(rootKeys: RootKeys, appId: string, token: string): Invitation | undefined {
  if (token.length > 2048) return undefined;
  let text: string;
  try {
    text = unseal(rootKeys, whereOf(appId), Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
  const [userId, email, expiresAt] = JSON.parse(text) as [string, string, number];
  return { userId, email, expiresAt };
}
