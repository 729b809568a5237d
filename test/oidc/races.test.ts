import { expect } from 'chai';
import { decodeJwt } from 'jose';
import type * as oidc from 'openid-client';
import { digestOf } from '../../src/kernel/secret.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, atOnce, introspect, redeemCode, refresh, userinfo } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const CROWD = 16;

for (const driver of drivers) {
  describe(`what must happen once, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let other: TestClient;
    let eager: TestClient;
    let userId: string;
    let asked: string[] = [];

    before(async () => {
      latchkey = await startTestLatchkey({ driver, observe: ({ text }) => void asked.push(text) });
      shop = await makeApp(latchkey, 'shop');
      const second = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Second',
        type: 'web',
        redirect_uris: ['http://localhost:1/callback'],
      });
      other = { appId: 'shop', clientId: second.body.client_id, secret: second.body.client_secret };
      eager = await makeApp(latchkey, 'eager', { settings: { refresh_grace: 0 } });
      userId = await makeUser(latchkey, 'shop', EMAIL);
      await makeUser(latchkey, 'eager', EMAIL);
    });
    after(() => latchkey.stop());

    const withCode = async (scope?: string) => {
      const configuration = await discover(latchkey, shop, 'shared');
      const request = await authorizationRequest(configuration, scope === undefined ? {} : { scope });
      const { url: callback } = await signInByPassword(latchkey.agent(), request, EMAIL);
      return { configuration, callback, verifier: request.verifier };
    };
    /** Moves what happened to a code further into the past, on the store's clock. */
    const letPass = (seconds: number): Promise<unknown> =>
      latchkey.sql(`update spent set spent_at = spent_at - $1 * interval '1 second' where kind = 'code'`, [
        seconds,
      ]);
    const expectWorking = async (
      configuration: oidc.Configuration,
      client: TestClient,
      tokens: any,
    ): Promise<void> => {
      expect((await userinfo(configuration, tokens.access_token)).status).to.equal(200);
      const next = await refresh(configuration, client, tokens.refresh_token);
      expect(next.status, next.text).to.equal(200);
      expect((await introspect(configuration, client, next.body.access_token)).body.active).to.equal(true);
    };
    const expectDead = async (
      configuration: oidc.Configuration,
      client: TestClient,
      tokens: any,
    ): Promise<void> => {
      expect((await introspect(configuration, client, tokens.access_token)).body).to.deep.equal({
        active: false,
      });
      expect((await userinfo(configuration, tokens.access_token)).status).to.equal(401);
      const refused = await refresh(configuration, client, tokens.refresh_token);
      expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_grant']);
    };
    const expectOneWinner = (answers: Answer[]): Answer => {
      const won = answers.filter((answer) => answer.status === 200);
      expect(won).to.have.length(1);
      for (const lost of answers.filter((answer) => answer !== won[0]))
        expect([lost.status, lost.body.error]).to.deep.equal([400, 'invalid_grant']);
      return won[0]!;
    };

    describe('an authorization code', () => {
      it(`#7 redeemed ${CROWD} times at once is redeemed once, and what the winner got works afterwards`, async () => {
        const code = await withCode();
        const won = expectOneWinner(await atOnce(CROWD, () => redeemCode(code.configuration, shop, code)));
        await expectWorking(code.configuration, shop, won.body);
      });

      it(`#7 that gives no refresh token, redeemed ${CROWD} times at once, is redeemed once`, async () => {
        const code = await withCode('openid');
        const won = expectOneWinner(await atOnce(CROWD, () => redeemCode(code.configuration, shop, code)));
        expect(won.body.refresh_token).to.equal(undefined);
        expect((await userinfo(code.configuration, won.body.access_token)).status).to.equal(200);
      });

      it('gives nothing when its grant was revoked before that is written', async () => {
        const code = await withCode();
        const lock = await latchkey.hold('lock table refresh_tokens in exclusive mode', []);
        const redeeming = redeemCode(code.configuration, shop, code);
        await waiting(1);
        const latest = `select grant_id from grants where app_id = 'shop' order by created_at desc limit 1`;
        await latchkey.sql(`update grants set revoked_at = now() where grant_id = (${latest})`);
        await lock.commit();
        const answer = await redeeming;
        expect([answer.status, answer.body.error], answer.text).to.deep.equal([400, 'invalid_grant']);
      });

      it('keeps its grant as long as the refresh token lives that it gives', async () => {
        const code = await withCode();
        await latchkey.sql(
          `update grants set expires_at = now() + interval '1 hour' where grant_id = (select grant_id from grants where app_id = 'shop' order by created_at desc limit 1)`,
        );
        const { body } = await redeemCode(code.configuration, shop, code);
        const [kept] = await latchkey.sql(
          `select g.expires_at >= r.expires_at as is_kept from refresh_tokens r join grants g using (app_id, grant_id) where r.digest = $1`,
          [digestOf(body.refresh_token)],
        );
        expect(kept).to.deep.equal({ is_kept: true });
      });

      it(`redeemed beside others, each of ${CROWD} gives what it stands for, and one of them twice loses once`, async () => {
        const codes = [];
        for (let made = 0; made < CROWD; made += 1) codes.push(await withCode());
        asked = [];
        const answers = await Promise.all(
          [...codes, codes[3]!].map((code) => redeemCode(code.configuration, shop, code)),
        );
        expect(asked.filter((text) => text.includes('insert into spent')).length).to.be.below(CROWD);
        expectOneWinner([answers[3]!, answers.pop()!]);
        const won = answers.map(({ status, body }) => (status === 200 ? body : undefined));
        // All but the one of which the other answer may be the good one.
        for (const [at, tokens] of won.entries()) if (at !== 3) expect(tokens, String(at)).to.be.an('object');
        const grants = won.flatMap((tokens) => (tokens ? [decodeJwt(tokens.access_token)['gid']] : []));
        expect(new Set(grants).size).to.equal(grants.length);
        for (const tokens of won) if (tokens) await expectWorking(codes[0]!.configuration, shop, tokens);
      });

      it('gives nothing when its grant is taken away meanwhile', async () => {
        const code = await withCode();
        const removal = await latchkey.hold(
          `delete from grants where grant_id = (select grant_id from grants where app_id = 'shop' order by created_at desc limit 1)`,
          [],
        );
        const redeeming = redeemCode(code.configuration, shop, code);
        await waiting(1);
        await removal.commit();
        const answer = await redeeming;
        expect([answer.status, answer.body.error], answer.text).to.deep.equal([400, 'invalid_grant']);
      });

      it('#7 redeemed again at once, one after the other, loses and harms nothing', async () => {
        const code = await withCode();
        const won = await redeemCode(code.configuration, shop, code);
        expect((await redeemCode(code.configuration, shop, code)).body.error).to.equal('invalid_grant');
        await expectWorking(code.configuration, shop, won.body);
      });

      it('#7 redeemed again later by its own client with the right verifier loses, and what it gave is revoked', async () => {
        const code = await withCode();
        const won = await redeemCode(code.configuration, shop, code);
        await letPass(3);
        const again = await redeemCode(code.configuration, shop, code);
        expect([again.status, again.body.error]).to.deep.equal([400, 'invalid_grant']);
        await expectDead(code.configuration, shop, won.body);
      });

      it(`#7 redeemed again later ${CROWD} times at once never wins, and what it gave is revoked`, async () => {
        const code = await withCode();
        const won = await redeemCode(code.configuration, shop, code);
        await letPass(3);
        for (const again of await atOnce(CROWD, () => redeemCode(code.configuration, shop, code)))
          expect([again.status, again.body.error]).to.deep.equal([400, 'invalid_grant']);
        await expectDead(code.configuration, shop, won.body);
      });

      it('#7 presented again later by another client, or with a wrong verifier, loses and harms nothing', async () => {
        const code = await withCode();
        const won = await redeemCode(code.configuration, shop, code);
        await letPass(3);
        expect((await redeemCode(code.configuration, other, code)).body.error).to.equal('invalid_grant');
        expect(
          (await redeemCode(code.configuration, shop, { ...code, verifier: 'x'.repeat(43) })).body.error,
        ).to.equal('invalid_grant');
        await expectWorking(code.configuration, shop, won.body);
      });

      it('#6 tried by a stranger first is still redeemed by its own client', async () => {
        const code = await withCode();
        expect((await redeemCode(code.configuration, other, code)).body.error).to.equal('invalid_grant');
        expect(
          (await redeemCode(code.configuration, shop, { ...code, verifier: 'x'.repeat(43) })).body.error,
        ).to.equal('invalid_grant');
        await expectWorking(
          code.configuration,
          shop,
          (await redeemCode(code.configuration, shop, code)).body,
        );
      });
    });

    describe('a refresh token', () => {
      const rows = async (): Promise<number> => (await latchkey.sql('select 1 from refresh_tokens')).length;
      const reuses = async (appId: string): Promise<number> =>
        (
          await latchkey.sql(
            `select 1 from audit_events where app_id = $1 and type = 'refresh_token.reused'`,
            [appId],
          )
        ).length;
      const outlastGrace = (seconds: number): Promise<unknown> =>
        latchkey.sql(
          `update refresh_tokens set consumed_at = consumed_at - $1 * interval '1 second' where consumed_at is not null`,
          [seconds],
        );

      it(`#21 used ${CROWD} times at once gives one byte-identical successor, one new row, and it works`, async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const before = await rows();
        const answers = await atOnce(CROWD, () => refresh(configuration, shop, tokens.refresh_token!));
        for (const answer of answers) expect(answer.status, answer.text).to.equal(200);
        expect(new Set(answers.map((answer) => answer.body.refresh_token)).size).to.equal(1);
        expect(await rows()).to.equal(before + 1);
        for (const answer of answers)
          expect((await userinfo(configuration, answer.body.access_token)).status).to.equal(200);
        await expectWorking(configuration, shop, answers[0]!.body);
        expect(await reuses('shop')).to.equal(0);
      });

      it(`#21 of ${CROWD} who come at once each gets the successor of their own, although few statements write them`, async () => {
        const all = [];
        for (let made = 0; made < CROWD; made += 1)
          all.push(await signedIn(latchkey, shop, { email: EMAIL }));
        const before = await rows();
        asked = [];
        const answers = await Promise.all(
          all.map(({ configuration, tokens }) => refresh(configuration, shop, tokens.refresh_token!)),
        );
        expect(asked.filter((text) => text.includes('update refresh_tokens')).length).to.be.below(CROWD);
        expect(await rows()).to.equal(before + CROWD);
        for (const [at, { status, text, body }] of answers.entries()) {
          expect(status, text).to.equal(200);
          const { tokens, configuration } = all[at]!;
          const grantId = decodeJwt(tokens.access_token)['gid'];
          expect(decodeJwt(body.access_token)['gid']).to.equal(grantId);
          const [row] = await latchkey.sql(
            `select r.grant_id, p.successor = r.digest as is_named from refresh_tokens r join refresh_tokens p on p.app_id = r.app_id and p.digest = r.predecessor
             where r.digest = $1 and p.digest = $2`,
            [digestOf(body.refresh_token), digestOf(tokens.refresh_token!)],
          );
          expect(row).to.deep.equal({ grant_id: grantId, is_named: true });
          await expectWorking(configuration, shop, body);
        }
      });

      it('#21 that somebody else holds at this moment keeps nobody waiting but whoever uses it', async () => {
        const all = [];
        for (let made = 0; made < 4; made += 1) all.push(await signedIn(latchkey, shop, { email: EMAIL }));
        const [held, ...others] = all;
        const lock = await latchkey.hold('select from refresh_tokens where digest = $1 for update', [
          digestOf(held!.tokens.refresh_token!),
        ]);
        const waits = refresh(held!.configuration, shop, held!.tokens.refresh_token!);
        const answers = await Promise.all(
          others.map(({ configuration, tokens }) => refresh(configuration, shop, tokens.refresh_token!)),
        );
        for (const { status, text } of answers) expect(status, text).to.equal(200);
        await waiting(1);
        await lock.commit();
        expect((await waits).status).to.equal(200);
        await expectWorking(held!.configuration, shop, (await waits).body);
      });

      it('#21 is given again for the grace from its first use, which a retry does not extend', async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const first = await refresh(configuration, shop, tokens.refresh_token!);
        await outlastGrace(9);
        const retried = await refresh(configuration, shop, tokens.refresh_token!);
        expect(retried.body.refresh_token).to.equal(first.body.refresh_token);
        await outlastGrace(2);
        expect((await refresh(configuration, shop, tokens.refresh_token!)).body.error).to.equal(
          'invalid_grant',
        );
        await expectDead(configuration, shop, first.body);
      });

      it('#21 presented by another client is refused and harms nothing', async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const used = await refresh(configuration, shop, tokens.refresh_token!);
        await outlastGrace(11);
        const before = await reuses('shop');
        expect((await refresh(configuration, other, tokens.refresh_token!)).body.error).to.equal(
          'invalid_grant',
        );
        expect((await refresh(configuration, other, used.body.refresh_token)).body.error).to.equal(
          'invalid_grant',
        );
        await expectWorking(configuration, shop, used.body);
        expect(await reuses('shop')).to.equal(before);
      });

      it(`#20 older than the grace, used ${CROWD} times at once, never wins and ends its family`, async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const successor = await refresh(configuration, shop, tokens.refresh_token!);
        await outlastGrace(11);
        const before = await reuses('shop');
        for (const answer of await atOnce(CROWD, () => refresh(configuration, shop, tokens.refresh_token!)))
          expect([answer.status, answer.body.error]).to.deep.equal([400, 'invalid_grant']);
        await expectDead(configuration, shop, successor.body);
        expect(await reuses('shop')).to.be.greaterThan(before);
        const [grant] = await latchkey.sql(
          `select revoked_why from grants where app_id = 'shop' and revoked_at is not null order by revoked_at desc limit 1`,
        );
        expect(grant!['revoked_why']).to.equal('refresh_token_reused');
      });

      // Without a grace a second use is indistinguishable from a theft, so the losers revoke what the winner got:
      // that is what the operator asks for who sets the grace to 0.
      it(`#21 used ${CROWD} times at once without any grace has at most one winner, and the family is dead`, async () => {
        const { configuration, tokens } = await signedIn(latchkey, eager, { email: EMAIL });
        const answers = await atOnce(CROWD, () => refresh(configuration, eager, tokens.refresh_token!));
        const won = answers.filter((answer) => answer.status === 200);
        expect(won.length).to.be.at.most(1);
        for (const lost of answers.filter((answer) => answer.status !== 200))
          expect([lost.status, lost.body.error]).to.deep.equal([400, 'invalid_grant']);
        for (const winner of won) await expectDead(configuration, eager, winner.body);
        await expectDead(configuration, eager, tokens);
        expect(await reuses('eager')).to.be.greaterThan(0);
      });

      it('is worth nothing if its grant is revoked while it is made', async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const grantId = decodeJwt(tokens.access_token)['gid'];
        const revocation = await latchkey.hold('update grants set revoked_at = now() where grant_id = $1', [
          grantId,
        ]);
        const made = await refresh(configuration, shop, tokens.refresh_token!);
        await revocation.commit();
        expect(made.status, made.text).to.equal(200);
        await expectDead(configuration, shop, made.body);
      });

      it('is not given when its grant was revoked before it is written', async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const before = await rows();
        // Whoever only reads gets by.
        const lock = await latchkey.hold('lock table refresh_tokens in exclusive mode', []);
        const made = refresh(configuration, shop, tokens.refresh_token!);
        await waiting(1);
        await latchkey.sql('update grants set revoked_at = now() where grant_id = $1', [
          decodeJwt(tokens.access_token)['gid'],
        ]);
        await lock.commit();
        expect([(await made).status, (await made).body.error]).to.deep.equal([400, 'invalid_grant']);
        expect(await rows()).to.equal(before);
      });

      it('is not given when its grant is taken away meanwhile', async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const before = await rows();
        const removal = await latchkey.hold('delete from grants where grant_id = $1', [
          decodeJwt(tokens.access_token)['gid'],
        ]);
        const made = refresh(configuration, shop, tokens.refresh_token!);
        await waiting(1);
        await removal.commit();
        expect([(await made).status, (await made).body.error]).to.deep.equal([400, 'invalid_grant']);
        expect(await rows()).to.be.below(before);
      });

      it('keeps its grant as long as it lives itself, and writes none that lives longer anyway', async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        const grantId = decodeJwt(tokens.access_token)['gid'];
        const version = async (): Promise<unknown> =>
          (await latchkey.sql('select xmin::text as version from grants where grant_id = $1', [grantId]))[0]![
            'version'
          ];
        const first = await version();
        const second = await refresh(configuration, shop, tokens.refresh_token!);
        expect(await version()).to.equal(first);
        await latchkey.sql(`update grants set expires_at = now() + interval '1 hour' where grant_id = $1`, [
          grantId,
        ]);
        expect((await refresh(configuration, shop, second.body.refresh_token)).status).to.equal(200);
        const [kept] = await latchkey.sql(
          `select g.expires_at >= max(r.expires_at) as is_kept from grants g join refresh_tokens r using (app_id, grant_id)
           where g.grant_id = $1 group by g.app_id, g.grant_id`,
          [grantId],
        );
        expect(kept).to.deep.equal({ is_kept: true });
      });

      it('#20 works once after the other without any grace', async () => {
        const { configuration, tokens } = await signedIn(latchkey, eager, { email: EMAIL });
        let token = tokens.refresh_token!;
        for (let turn = 0; turn < 3; turn += 1) {
          const next = await refresh(configuration, eager, token);
          expect(next.status).to.equal(200);
          token = next.body.refresh_token;
        }
      });
    });

    describe('a session', () => {
      it('keeps the authorizations of two clients that are authorized at the same time', async () => {
        const { agent, configuration } = await signedIn(latchkey, shop, { email: EMAIL });
        const requests = await Promise.all([
          authorizationRequest(configuration, { prompt: 'none', scope: 'openid' }),
          authorizationRequest(await discover(latchkey, other, 'shared'), {
            prompt: 'none',
            scope: 'openid',
          }),
          authorizationRequest(configuration, { prompt: 'none', scope: 'openid email' }),
        ]);
        const pages = await Promise.all(requests.map((request) => agent.open(request.url.href)));
        for (const page of pages) expect(new URL(page.url).searchParams.get('error')).to.equal(null);
        const [session] = await latchkey.sql(
          `select payload -> 'authorizations' as authorizations from sessions where app_id = 'shop' order by touched_at desc limit 1`,
        );
        expect(session!['authorizations']).to.have.all.keys('shop', other.clientId);
        const redeemed = await redeemCode(await discover(latchkey, other, 'shared'), other, {
          callback: pages[1]!.url,
          verifier: requests[1]!.verifier,
        });
        expect(redeemed.status).to.equal(200);
      });

      it('that the operator ends while an authorization is in flight stays ended', async () => {
        const { agent, configuration } = await signedIn(latchkey, shop, { email: EMAIL });
        const sessions = await latchkey.admin('GET', `/apps/shop/users/${userId}/sessions`);
        const sessionId = sessions.body.items[0].session_id as string;
        const silent = await authorizationRequest(await discover(latchkey, other, 'shared'), {
          prompt: 'none',
          scope: 'openid',
        });
        // With its row locked the operator's end waits first, then the authorization, which has read the live session.
        const lock = await latchkey.hold('select from sessions where session_id = $1 for update', [
          sessionId,
        ]);
        const ending = latchkey.admin('DELETE', `/apps/shop/users/${userId}/sessions/${sessionId}`);
        await waiting(1);
        const authorizing = agent.open(silent.url.href);
        await waiting(2);
        await lock.commit();
        expect((await ending).status).to.equal(204);
        expect(new URL((await authorizing).url).searchParams.get('error')).to.equal('login_required');
        const later = await authorizationRequest(configuration, { prompt: 'none' });
        expect(new URL((await agent.open(later.url.href)).url).searchParams.get('error')).to.equal(
          'login_required',
        );
        const [row] = await latchkey.sql('select ended_at from sessions where session_id = $1', [sessionId]);
        expect(row!['ended_at']).to.not.equal(null);
      });
    });

    /** Until so many statements wait for a lock. */
    async function waiting(count: number): Promise<void> {
      const held = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      while ((await latchkey.sql(held)).length < count)
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
}
