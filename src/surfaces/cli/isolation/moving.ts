import { Browser, formOf } from './browser.ts';
import { linkIn } from './mailbox.ts';
import { type Mailed, random, type Side, type Stage } from './side.ts';

/** Somebody who has changed their address, which the old one can undo, and is about to do so again. */
export async function moving(
  stage: Stage,
  { appId }: Pick<Side, 'appId'>,
): Promise<Pick<Mailed, 'newAddress' | 'undoAddress'>> {
  const address = (): string => `moving-${random().toLowerCase()}@example.com`;
  const [first, second, third] = [address(), address(), address()];
  const password = random();
  await stage.admin('POST', `/apps/${appId}/users`, { email: first, password, email_verified: true });
  const browser = new Browser(stage.send, stage.baseUrl);
  const at = `${stage.baseUrl}/auth/${appId}/account/identifiers`;
  const asked = formOf(await browser.open(at), '/password');
  const page = await browser.open(asked.action, { ...asked.fields, email: first, password });
  const { fields } = formOf(page, '/identifiers');
  const secret = (address: string, kind: string): Promise<string> =>
    linkIn(stage.mailbox!, address, `/auth/${appId}/account/identifiers/${kind}/([A-Za-z0-9_-]{20,})`);
  const ask = async (email: string): Promise<string> => {
    await browser.ask(at, { ...fields, email });
    return secret(email, 'confirm');
  };
  await browser.ask(`${at}/confirm/${await ask(second)}`, fields);
  return { undoAddress: await secret(first, 'undo'), newAddress: await ask(third) };
}
