import {
  Authenticator,
  type Lies,
  type Options,
  optionsOn,
} from '../../src/surfaces/cli/isolation/authenticator.ts';
import type { Agent, Page } from './agent.ts';
import type { Mail, TestLatchkey } from './app.ts';

export {
  Authenticator,
  flags,
  type Lies,
  type Options,
  optionsOn,
} from '../../src/surfaces/cli/isolation/authenticator.ts';

/** What the page gives the browser; throws where it offers no passkey. */
export function offered(page: Page): Options {
  const options = optionsOn(page.html);
  if (!options) throw new Error(`no passkey is offered at ${page.url} (${page.status})`);
  return options;
}

/** Answers the form of a page that asks for a passkey. */
export const answer = (agent: Agent, page: Page, credential: string): Promise<Page> =>
  agent.submit(
    page,
    { credential },
    { ending: page.url.includes('/account/') ? '/passkeys/new' : '/passkey' },
  );

/** Adds a passkey in the account pages, where the agent has just signed in. */
export async function addPasskey(
  agent: Agent,
  appId: string,
  authenticator = new Authenticator(agent.origin),
  lies: Lies = {},
): Promise<{ authenticator: Authenticator; page: Page }> {
  const asked = await agent.open(`/auth/${appId}/account/passkeys/new`);
  const page = await answer(agent, asked, authenticator.create(offered(asked), lies));
  return { authenticator, page };
}

/** The mail with this in its subject, whatever else is mailed to the address. */
export async function mailAbout(latchkey: TestLatchkey, address: string, subject: string): Promise<Mail> {
  for (let count = 1; ; count += 1) {
    const found = (await latchkey.mailsTo(address, count)).find((mail) => mail.subject.includes(subject));
    if (found) return found;
  }
}
