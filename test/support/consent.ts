import { expect } from 'chai';
import type * as oidc from 'openid-client';
import type { Agent } from './agent.ts';
import { authorizationRequest } from './sign-in.ts';

/** OWASP ASVS 10.7.1: the person has allowed the same before, in this very session, and is asked all the same. */
export async function expectAskedEachTime(agent: Agent, configuration: oidc.Configuration): Promise<void> {
  const silent = await agent.open(
    (await authorizationRequest(configuration, { scope: 'openid', prompt: 'none' })).url.href,
  );
  expect(new URL(silent.url).searchParams.get('error')).to.equal('consent_required');
  const asked = await agent.open((await authorizationRequest(configuration, { scope: 'openid' })).url.href);
  expect(asked.html).to.include('Nobody has checked this program');
  const done = await agent.submit(asked, { decision: 'allow' }, { ending: '/consent' });
  expect(new URL(done.url).searchParams.has('code')).to.equal(true);
}
