import { expect } from 'chai';
import { digestOf } from '../../src/kernel/secret.ts';
import { subjectOf } from '../../src/sign-in/lockout/attempt.ts';
import { clearFailures, codesToday, countCode, reserveTry } from '../../src/sign-in/lockout/store.ts';
import { scoped } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';
import { freshEmail, isSignedIn, makeApp, makeUser, PASSWORD, signInWithPassword } from './people.ts';

describe('counting failed attempts', () => {
  let database: TestDatabase;
  const appId = 'locks';
  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, appId);
  });
  after(() => database.end());

  const q = () => scoped(database.db, appId);
  const rowOf = async (subject: string) =>
    (
      await q().query<{ failures: number; lockouts: number; seconds: string }>(
        sql`select failures, lockouts, extract(epoch from locked_until - now()) as seconds from sign_in_failures where app_id = ${appId} and subject = ${subject}`,
      )
    )[0]!;
  const unlock = (subject: string) =>
    q().query(
      sql`update sign_in_failures set locked_until = now() where app_id = ${appId} and subject = ${subject}`,
    );

  it('#49 counts fifty at once as fifty and lets five through', async () => {
    const at = { appId, subject: subjectOf(freshEmail()), origin: 'stranger' };
    const through = await Promise.all(Array.from({ length: 50 }, () => reserveTry(q(), at)));
    expect(through.filter(Boolean)).to.have.length(5);
    expect(await rowOf(at.subject)).to.include({ failures: 50, lockouts: 1 });
  });

  it('cools down for 1, 5, 15 and then 60 minutes', async () => {
    const at = { appId, subject: subjectOf(freshEmail()), origin: 'stranger' };
    for (const minutes of [1, 5, 15, 60, 60]) {
      const through = [];
      for (let i = 0; i < 7; i += 1) through.push(await reserveTry(q(), at));
      expect(through).to.deep.equal([true, true, true, true, true, false, false]);
      expect(Number((await rowOf(at.subject)).seconds)).to.be.within(minutes * 60 - 5, minutes * 60);
      await unlock(at.subject);
    }
  });

  it('keeps a known device apart from strangers and starts anew after a success', async () => {
    const subject = subjectOf(freshEmail());
    const device = digestOf('a device');
    for (let i = 0; i < 6; i += 1) await reserveTry(q(), { appId, subject, origin: 'stranger' });
    expect(await reserveTry(q(), { appId, subject, origin: device })).to.equal(true);
    await clearFailures(q(), { appId, subject, origin: device });
    expect(await reserveTry(q(), { appId, subject, origin: 'stranger' })).to.equal(false);
  });

  it('counts the codes of a day from the first one', async () => {
    const subject = subjectOf(freshEmail());
    const counts = await Promise.all(
      Array.from({ length: 12 }, () => countCode(q(), { appId, subject, origin: 'mailed_code' })),
    );
    expect(counts.sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    await q().query(
      sql`update sign_in_failures set since = now() - interval '25 hours' where app_id = ${appId} and subject = ${subject}`,
    );
    expect(await codesToday(q(), appId, subject)).to.equal(0);
    expect(await countCode(q(), { appId, subject, origin: 'mailed_code' })).to.equal(1);
  });
});

describe('being locked out', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  it('#49 stops a stranger who has the right password at last, not the device that signed in before', async () => {
    const { email } = await makeUser(lk, appId);
    const home = lk.agent();
    expect(isSignedIn(await signInWithPassword(home, appId, email))).to.equal(true);
    for (let i = 0; i < 5; i += 1)
      await signInWithPassword(lk.agent(), appId, email, 'a wrong guess of many');
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email))).to.equal(false);
    const again = lk.agent();
    again.setCookie(`lk_dev.${appId}`, home.cookie(`lk_dev.${appId}`)!);
    expect(isSignedIn(await signInWithPassword(again, appId, email))).to.equal(true);
  });

  it('#49 counts fifty parallel wrong guesses as fifty, for an address without an account too', async function () {
    this.timeout(180_000);
    const { email } = await makeUser(lk, appId);
    for (const address of [email, freshEmail()]) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          signInWithPassword(lk.agent(), appId, address, 'a wrong guess of many'),
        ),
      );
      expect(new Set(answers.map((page) => page.status))).to.deep.equal(new Set([400]));
      const [row] = await lk.latchkey.stores.db.query<{ failures: number }>(
        appId,
        sql`select failures from sign_in_failures where app_id = ${appId} and subject = ${subjectOf(address)}`,
      );
      expect(row!.failures).to.equal(50);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, address, PASSWORD))).to.equal(false);
    }
  });
});
