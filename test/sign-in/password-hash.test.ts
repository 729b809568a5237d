import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { type Argon2, isWeaker, nativeC, nativeRust } from '../../src/sign-in/passwords/argon2.ts';
import { withDeadline } from '../../src/kernel/deadline.ts';
import { createPasswordHasher } from '../../src/sign-in/passwords/hash.ts';
import { faultOfPassword } from '../../src/sign-in/passwords/policy.ts';

describe('hashing passwords', () => {
  for (const [name, load] of Object.entries({ '@node-rs/argon2': nativeRust, argon2: nativeC })) {
    it(`writes with ${name} what both libraries read`, async () => {
      const hash = await (await load()).hash('violet harbour');
      expect(hash).to.match(/^\$argon2id\$v=19\$m=19456,(t=2,p=1|p=1,t=2)\$/);
      expect(isWeaker(hash)).to.equal(false);
      for (const reader of [await nativeRust(), await nativeC()]) {
        expect(await reader.verify(hash, 'violet harbour')).to.equal(true);
        expect(await reader.verify(hash, 'violet harbouR')).to.equal(false);
      }
    });
  }

  it('finds hashes of less work or another algorithm weaker', () => {
    expect(isWeaker('$argon2id$v=19$m=19456,t=1,p=1$c2FsdA$aGFzaA')).to.equal(true);
    expect(isWeaker('$argon2i$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA')).to.equal(true);
    expect(isWeaker('$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA')).to.equal(false);
  });

  it('L11 runs so many at once, lets so many wait, and refuses the rest at once', async () => {
    let running = 0;
    let most = 0;
    const slow: Argon2 = {
      name: 'argon2',
      hash: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running -= 1;
        return 'hash';
      },
      verify: () => Promise.resolve(true),
    };
    const hasher = await createPasswordHasher({ argon2: slow, atOnce: 2, queueLimit: 3 });
    const results = await Promise.allSettled(Array.from({ length: 9 }, () => hasher.hash('x')));
    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(5);
    const [refused] = results.filter((result) => result.status === 'rejected');
    expect(refused!.reason).to.include({ code: 'password.busy', kind: 'busy' });
    expect(most).to.equal(2);
    expect(await hasher.hash('x')).to.equal('hash');
  });

  it('lets nobody wait for a place longer than the request may take', async () => {
    let free = (): void => {};
    const stuck: Argon2 = {
      name: 'argon2',
      hash: (password) =>
        password === 'stuck'
          ? new Promise((resolve) => {
              free = () => resolve('hash');
            })
          : Promise.resolve('hash'),
      verify: () => Promise.resolve(true),
    };
    const hasher = await createPasswordHasher({ argon2: stuck, atOnce: 1 });
    const first = hasher.hash('stuck');
    const late = await withDeadline(50, () => hasher.hash('x').catch((error: unknown) => error));
    expect(late).to.include({ code: 'password.busy', kind: 'busy' });
    const patient = hasher.hash('y');
    free();
    expect(await Promise.all([first, patient])).to.deep.equal(['hash', 'hash']);
  });

  it('compares with the hash of nobody where there is none, and that is never right', async () => {
    const hasher = await createPasswordHasher();
    const isRight = (password: string) => hasher.inTurn(({ verify }) => verify(undefined, password));
    expect(await isRight('the hash that unknown addresses are compared with')).to.equal(false);
  });
});

describe('a hash that nothing native computes', () => {
  // 2^16 rounds, the most that is taken over.
  const PHPASS = '$P$EsaltsaltAAAAAAAAAAAAAAAAAAAAAA';

  it('is computed beside the event loop', async () => {
    const hasher = await createPasswordHasher();
    const compare = () => hasher.inTurn(({ verify }) => verify(PHPASS, 'violet harbour'));
    // The thread is there from now on.
    await compare();
    const [all, ours] = [process.cpuUsage(), process.threadCpuUsage()];
    for (let i = 0; i < 5; i += 1) expect(await compare()).to.equal(false);
    const [total, own] = [process.cpuUsage(all), process.threadCpuUsage(ours)];
    expect(own.user + own.system).to.be.lessThan((total.user + total.system) / 2);
  });

  it('takes a place of the queue, and is refused at once where it is full', async () => {
    const hasher = await createPasswordHasher({ atOnce: 1, queueLimit: 2 });
    const compare = () => hasher.inTurn(({ verify }) => verify(PHPASS, 'violet harbour'));
    const results = await Promise.allSettled(Array.from({ length: 8 }, compare));
    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(3);
    for (const result of results)
      if (result.status === 'rejected')
        expect(result.reason).to.include({ code: 'password.busy', retryAfterSeconds: 2 });
  });

  it('says nothing of the password when its thread is lost, and has another one afterwards', async () => {
    const { stretched } = await import('../../src/sign-in/passwords/foreign/stretching.ts');
    const stretch = { salt: 'saltsalt', password: 'x', rounds: 1 };
    const hostile = { ...stretch, password: 1 as unknown as string };
    const refused = await stretched(hostile).catch((error: unknown) => error);
    expect(refused).to.include({ code: 'password.busy', kind: 'busy' });
    const twice = createHash('md5').update('saltsaltx').digest();
    const expected = createHash('md5').update(twice).update('x').digest('hex');
    expect((await stretched(stretch)).toString('hex')).to.equal(expected);
  });
});

describe('new passwords', () => {
  const context = { minLength: 15, email: 'mara.lind@example.com', appName: 'Corner Shop' };
  const keyOf = (password: string) => faultOfPassword(password, context)?.key;

  it('need length and no composition', () => {
    expect(keyOf('violet harbour')).to.equal('problem.password_short');
    expect(keyOf('violet harbour ninety')).to.equal(undefined);
    expect(keyOf('🦊'.repeat(5))).to.equal('problem.password_short');
    expect(keyOf(`${'ab cd ef'.repeat(16)}x`)).to.equal('problem.password_long');
  });

  it('are refused when they hold what is known of the person or the app', () => {
    for (const password of ['mara.lind 4 ever and ever', 'corner shop rules ok', 'maralind maralind'])
      expect(keyOf(password), password).to.equal('problem.password_personal');
  });

  it('are refused when they are what everybody tries', () => {
    for (const password of [
      'Password1!Password1',
      'P4ssw0rd-P4ssw0rd-1',
      'qwertyuiop123456',
      '111111111111111',
      'abcabcabcabcabcabc',
      '987654321098765',
      'dragonMonkey 123456',
    ]) {
      expect(keyOf(password), password).to.equal('problem.password_common');
    }
  });
});
