import type { Agent, Page } from './agent.ts';
import type { TestLatchkey } from './app.ts';
import { issuerOf } from './sign-in.ts';

/** Signs this browser out of an app, through the page that asks. */
export async function signOut(
  latchkey: TestLatchkey,
  agent: Agent,
  appId: string,
  parameters: Record<string, string> = {},
): Promise<Page> {
  const query = new URLSearchParams(parameters);
  const page = await agent.open(`${issuerOf(latchkey, appId, 'own')}/logout?${query}`);
  return agent.submit(page, { logout: 'yes' }, { ending: '/logout/confirm' });
}
