import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, Authenticator, flags, mailAbout, offered } from '../support/passkeys.ts';
import { codesOn } from '../support/totp.ts';
import {
  begin,
  isSignedIn,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
  sixteen,
} from './people.ts';

const ONE = 'urn:latchkey:acr:1fa';
const TWO = 'urn:latchkey:acr:2fa';
const ESSENTIAL = JSON.stringify({ id_token: { acr: { essential: true, value: TWO } } });

for (const driver of drivers) {
  describe(`a passkey as the second factor, on ${driver}`, () => {
    let lk: TestLatchkey;
    let strict: string;
    let shop: string;
    before(async () => {
      lk = await startTestLatchkey({ driver });
      strict = await makeApp(lk, { second_factor: 'required' });
      shop = await makeApp(lk, { features: { claims_parameter: true } });
    });
    after(() => lk.stop());

    const newOne = (page: Page, by = new Authenticator(lk.baseUrl)): string => by.create(offered(page));
    const passkeys = async (userId: string): Promise<any[]> =>
      (await lk.admin('GET', `/apps/${strict}/users/${userId}/passkeys`)).body.items;
    const path = (page: Page): string => new URL(page.url).pathname;

    type Person = {
      email: string;
      userId: string;
      authenticator: Authenticator;
      codes: string[];
      done: Page;
    };
    /** Somebody who set one up on the way in, because the app wants two proofs. */
    async function person(agent: Agent = lk.agent()): Promise<Person> {
      const { email, userId } = await makeUser(lk, strict);
      const asked = await signInWithPassword(agent, strict, email);
      expect(asked.html).to.contain('Use a passkey instead');
      const page = await agent.open(path(asked).replace('/totp', '/passkey'));
      const authenticator = new Authenticator(agent.origin);
      const shown = await answer(agent, page, newOne(page, authenticator));
      const done = await agent.submit(shown, {}, { ending: '/recovery-codes' });
      return { email, userId, authenticator, codes: codesOn(shown), done };
    }

    it('#58 is set up on the way in, with recovery codes, and counts as the second of two proofs', async () => {
      const { email, userId, authenticator, codes, done } = await person();
      expect((await redeem(lk, strict, done)).claims).to.deep.include({
        amr: ['pwd', 'hwk', 'user', 'mfa'],
        acr: TWO,
      });
      expect(codes).to.have.length(10);
      expect(await passkeys(userId)).to.have.length(1);
      await mailAbout(lk, email, 'A passkey was added');
      const agent = lk.agent();
      const asked = await signInWithPassword(agent, strict, email);
      const page = await agent.open(asked.url);
      expect(path(page)).to.match(/\/second-factor\/passkey$/);
      expect(page.html).to.contain(email).and.contain('Use a recovery code');
      const last = await answer(agent, page, authenticator.get(offered(page)));
      expect((await redeem(lk, strict, last)).claims).to.deep.include({
        amr: ['pwd', 'hwk', 'user', 'mfa'],
        acr: TWO,
      });
    });

    it('#62 #63 is the person’s own, verified, and made for this step', async () => {
      const { email, authenticator } = await person();
      const other = await person();
      const agent = lk.agent();
      const first = await begin(agent, strict);
      const page = await agent.submit(first, { email, password: PASSWORD }, { ending: '/password' });
      const wrong = [
        other.authenticator.get(offered(page)),
        authenticator.get(offered(first)),
        authenticator.get(offered(page), { isSignatureBogus: true }),
        authenticator.get(offered(page), { flags: flags.up }),
        authenticator.get(offered(page), { userHandle: other.authenticator.handle }),
        'nothing',
      ];
      for (const credential of wrong) {
        const refused = await answer(agent, page, credential);
        expect(refused.status).to.equal(400);
        expect(refused.html).to.match(/That passkey does not belong to this account|That took too long/);
      }
      expect(agent.cookieNames().filter((name) => name.startsWith('lk_ses.'))).to.deep.equal([]);
      expect(isSignedIn(await answer(agent, page, authenticator.get(offered(page))))).to.equal(true);
    });

    it('#60 lets one of sixteen win, and what the winner got works', async () => {
      const { email, authenticator } = await person();
      const agent = lk.agent();
      const page = await signInWithPassword(agent, strict, email);
      const credential = authenticator.get(offered(page));
      const answers = await sixteen(() => answer(agent, page, credential));
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect(answers.filter((one) => one.status >= 500)).to.deep.equal([]);
      expect((await redeem(lk, strict, won[0]!)).status).to.equal(200);
    });

    it('can not be put beside one that exists by whoever has only the password', async () => {
      const { email, userId } = await makeUser(lk, strict);
      const [thief, owner] = [lk.agent(), lk.agent()];
      const pages: Page[] = [];
      for (const agent of [thief, owner]) {
        const asked = await signInWithPassword(agent, strict, email);
        pages.push(await agent.open(path(asked).replace('/totp', '/passkey')));
      }
      const theirs = new Authenticator(lk.baseUrl);
      await answer(owner, pages[1]!, newOne(pages[1]!, theirs));
      // Nor by one that only says that it is theirs.
      const { credentialId } = theirs;
      const named = new Authenticator(lk.baseUrl).create(offered(pages[0]!), { credentialId });
      expect(path(await answer(thief, pages[0]!, named))).to.match(/\/second-factor\/passkey$/);
      const late = await answer(thief, pages[0]!, newOne(pages[0]!));
      expect(path(late)).to.match(/\/second-factor\/passkey$/);
      expect(await passkeys(userId)).to.have.length(1);
      await lk.admin('DELETE', `/apps/${strict}/users/${userId}/sessions`);
      expect((await answer(thief, late, newOne(pages[0]!))).status).to.equal(400);
      expect(await passkeys(userId)).to.have.length(1);
    });

    it('#16 #58 is two factors by itself where second proofs are off, and meets a request that insists on two', async () => {
      const plain = await makeApp(lk, { second_factor: 'off', features: { claims_parameter: true } });
      const discovery = await fetch(`${lk.baseUrl}/auth/${plain}/.well-known/openid-configuration`);
      expect(((await discovery.json()) as any).acr_values_supported).to.deep.equal([ONE, TWO]);
      const { email } = await makeUser(lk, plain);
      const agent = lk.agent();
      const first = await redeem(lk, plain, await signInWithPassword(agent, plain, email));
      expect(first.claims).to.deep.include({ amr: ['pwd'], acr: ONE });
      const { authenticator } = await addPasskey(agent, plain);
      // A wish asks nobody; who signs in with a password when two are a condition is not asked again and again.
      const wished = await redeem(lk, plain, await begin(agent, plain, { acr_values: TWO }));
      expect(wished.claims['acr']).to.equal(ONE);
      const asked = await begin(agent, plain, { claims: ESSENTIAL });
      const refused = await agent.submit(asked, { email, password: PASSWORD }, { ending: '/password' });
      expect(new URL(refused.url).searchParams.get('error')).to.equal('unmet_authentication_requirements');
      const again = await begin(agent, plain, { claims: ESSENTIAL });
      const done = await answer(agent, again, authenticator.get(offered(again)));
      expect((await redeem(lk, plain, done)).claims).to.deep.include({
        amr: ['hwk', 'user', 'mfa'],
        acr: TWO,
      });
      // The session is that of two now.
      const silent = await begin(agent, plain, { claims: ESSENTIAL, prompt: 'none' });
      expect((await redeem(lk, plain, silent)).claims['acr']).to.equal(TWO);
    });

    it('asks nobody by itself, but is shown where the request insists on two proofs', async () => {
      const { email } = await makeUser(lk, shop);
      const agent = lk.agent();
      await signInWithPassword(agent, shop, email);
      const { authenticator } = await addPasskey(agent, shop);
      const elsewhere = lk.agent();
      expect(isSignedIn(await signInWithPassword(elsewhere, shop, email))).to.equal(true);
      const first = await begin(elsewhere, shop, { claims: ESSENTIAL, prompt: 'login' });
      const asked = await elsewhere.submit(first, { email, password: PASSWORD }, { ending: '/password' });
      expect(path(asked)).to.match(/\/second-factor\/passkey$/);
      const done = await answer(elsewhere, asked, authenticator.get(offered(asked)));
      expect((await redeem(lk, shop, done)).claims['acr']).to.equal(TWO);
    });
  });
}
