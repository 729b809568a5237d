import { expect } from 'chai';
import { Problem } from '../../src/kernel/problem.ts';
import { scoped } from '../../src/storage/database.ts';
import { part, sql } from '../../src/storage/sql.ts';
import { forgetDevices, isKnownDevice, rememberingDevice } from '../../src/users/devices/store.ts';
import { passwordHashOf, rehashPassword, setPassword } from '../../src/users/passwords/store.ts';
import {
  deleteUser,
  insertUser,
  listUsers,
  markEmailVerified,
  setEmail,
  userByEmail,
  userById,
  usersByEmailPrefix,
} from '../../src/users/store.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';

const newUser = (appId: string, email: string) => ({ appId, email, emailVerified: false });

describe('users: the store', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
    for (const appId of ['app-a', 'app-b']) await insertBareApp(database, appId);
  });
  after(() => database.end());
  const q = (appId = 'app-a') => scoped(database.db, appId);

  it('lets one of sixteen sign-ups at once have an address, and the winner stays', async () => {
    const tries = Array.from({ length: 16 }, () =>
      database.db.transaction('app-a', (tx) => insertUser(tx, newUser('app-a', 'race@example.com'))),
    );
    const outcomes = await Promise.allSettled(tries);
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(won).to.have.length(1);
    for (const { reason } of lost)
      expect(reason).to.be.instanceOf(Problem).with.property('code', 'users.email_taken');
    expect(await userByEmail(q(), 'app-a', 'race@example.com')).to.deep.include({
      userId: won[0]!.value.userId,
    });
    const rows = await database.operatorDb.query(undefined, {
      name: '',
      text: `select 1 from users where app_id = 'app-a'`,
      values: [],
    });
    expect(rows).to.have.length(1);
  });

  it('leaves the transaction usable when the address is taken', async () => {
    await database.db.transaction('app-a', async (tx) => {
      expect(
        await insertUser(tx, newUser('app-a', 'race@example.com')).catch((error: Problem) => error.code),
      ).to.equal('users.email_taken');
      expect(await userByEmail(tx, 'app-a', 'race@example.com')).to.not.equal(undefined);
    });
  });

  it('keeps the same address in two apps apart', async () => {
    const other = await insertUser(q('app-b'), newUser('app-b', 'race@example.com'));
    const first = await userByEmail(q(), 'app-a', 'race@example.com');
    expect(other.userId).to.not.equal(first!.userId);
    expect(await userById(q('app-b'), 'app-b', first!.userId)).to.equal(undefined);
    expect(await userById(q('app-b'), 'app-a', first!.userId)).to.equal(undefined);
  });

  it('verifies an address only while the user has it', async () => {
    const { userId } = await insertUser(q(), newUser('app-a', 'old@example.com'));
    await database.db.transaction('app-a', (tx) =>
      setEmail(tx, { appId: 'app-a', userId, email: 'new@example.com', verified: false }),
    );
    expect(await markEmailVerified(q(), 'app-a', userId, 'old@example.com')).to.equal(false);
    expect(await markEmailVerified(q(), 'app-a', userId, 'new@example.com')).to.equal(true);
    expect(await userById(q(), 'app-a', userId)).to.deep.include({
      email: 'new@example.com',
      emailVerified: true,
    });
  });

  it('lists newest first and searches by prefix, page by page, each user once', async () => {
    for (let i = 0; i < 5; i++) await insertUser(q('app-b'), newUser('app-b', `page${i}@example.com`));
    const first = await listUsers(q('app-b'), 'app-b', { limit: 4 });
    const rest = await listUsers(q('app-b'), 'app-b', { limit: 4, after: first.at(-1)!.userId });
    expect([...first, ...rest].map((user) => user.email)).to.deep.equal([
      ...[4, 3, 2, 1, 0].map((i) => `page${i}@example.com`),
      'race@example.com',
    ]);
    const found = await usersByEmailPrefix(q('app-b'), 'app-b', {
      prefix: 'page',
      limit: 10,
      after: 'page1@example.com',
    });
    expect(found.map((user) => user.email)).to.deep.equal([
      'page2@example.com',
      'page3@example.com',
      'page4@example.com',
    ]);
    expect(await usersByEmailPrefix(q('app-b'), 'app-b', { prefix: '%', limit: 10 })).to.have.length(0);
  });

  it('keeps one password, and does not rehash one that was changed meanwhile', async () => {
    const { userId } = await insertUser(q(), newUser('app-a', 'password@example.com'));
    await setPassword(q(), { appId: 'app-a', userId, hash: 'one' });
    await setPassword(q(), { appId: 'app-a', userId, hash: 'two' });
    expect(await rehashPassword(q(), { appId: 'app-a', userId, oldHash: 'one', hash: 'three' })).to.equal(
      false,
    );
    expect(await passwordHashOf(q(), 'app-a', userId)).to.equal('two');
  });

  it('knows devices until they are forgotten, all but one', async () => {
    const { userId } = await insertUser(q(), newUser('app-a', 'device@example.com'));
    for (const device of ['d1', 'd2', 'd2'])
      await q().query(sql`${rememberingDevice({ appId: 'app-a', userId, device }, part``)}`);
    await forgetDevices(q(), 'app-a', userId, 'd2');
    expect([
      await isKnownDevice(q(), 'app-a', userId, 'd1'),
      await isKnownDevice(q(), 'app-a', userId, 'd2'),
    ]).to.deep.equal([false, true]);
    await forgetDevices(q(), 'app-a', userId);
    expect(await isKnownDevice(q(), 'app-a', userId, 'd2')).to.equal(false);
  });

  it('erases everything of a user, so that the address is free again', async () => {
    const { userId } = await insertUser(q(), newUser('app-a', 'gone@example.com'));
    await setPassword(q(), { appId: 'app-a', userId, hash: 'x' });
    expect(await deleteUser(q(), 'app-a', userId)).to.equal(true);
    expect(await passwordHashOf(q(), 'app-a', userId)).to.equal(undefined);
    const again = await insertUser(q(), newUser('app-a', 'gone@example.com'));
    expect(again.userId).to.not.equal(userId);
  });
});
