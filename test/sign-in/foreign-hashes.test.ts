import { createHash, createHmac, randomBytes, scryptSync } from 'node:crypto';
import { hashSync as bcryptSync } from '@node-rs/bcrypt';
import argon2 from 'argon2';
import { expect } from 'chai';
import { createPasswordHasher } from '../../src/sign-in/passwords/hash.ts';
import { type GivenHash, takeOver } from '../../src/sign-in/passwords/foreign/take-over.ts';
import type { Statement } from '../../src/storage/sql.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { begin, freshEmail, isSignedIn, makeApp, makeUser, redeem, signInWithPassword } from './people.ts';

const OURS = /^\$argon2id\$v=19\$m=19456,(t=2,p=1|p=1,t=2)\$/;
type Given = string | Record<string, unknown>;

const firebase = {
  algorithm: 'firebase_scrypt',
  hash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
  salt: '42xEC+ixf3L2lw==',
  salt_separator: 'Bw==',
  signer_key: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
  rounds: 8,
  mem_cost: 14,
};
const hex = (name: string, text: string) => createHash(name).update(text).digest('hex');
const b64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
const rfc7914 =
  '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887';

// What each one's own documentation or specification publishes; where a notation has no published vector, another library made it.
const vectors: Record<string, [password: string, hash: Given]> = {
  'bcrypt $2a$ (jBCrypt)': [
    'abcdefghijklmnopqrstuvwxyz',
    '$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC',
  ],
  'bcrypt $2y$ (crypt_blowfish)': ['U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  'bcrypt $2b$': ['pass phrase', bcryptSync('pass phrase', { cost: 4, version: '2b' })],
  'bcrypt of Django': ['lètmein', `bcrypt$${bcryptSync('lètmein', { cost: 4 })}`],
  'bcrypt of Django over SHA-256': [
    'lètmein',
    `bcrypt_sha256$${bcryptSync(hex('sha256', 'lètmein'), { cost: 4 })}`,
  ],
  'bcrypt of WordPress 6.8': [
    ' hello ',
    `$wp${bcryptSync(createHmac('sha384', 'wp-sha384').update('hello').digest('base64'), { cost: 4, version: '2y' })}`,
  ],
  'scrypt (passlib)': [
    'password',
    '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
  ],
  'scrypt (RFC 7914)': [
    'pleaseletmein',
    `$scrypt$ln=14,r=8,p=1$${b64(Buffer.from('SodiumChloride'))}$${b64(Buffer.from(rfc7914, 'hex'))}`,
  ],
  'scrypt of Django': [
    'lètmein',
    `scrypt$1024$seasalt$8$5$${scryptSync('lètmein', 'seasalt', 64, { N: 1024, r: 8, p: 5 }).toString('base64')}`,
  ],
  'scrypt of Firebase': ['user1password', firebase],
  'PBKDF2 of Django': [
    'lètmein',
    'pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=',
  ],
  'PBKDF2 (passlib)': [
    'password',
    '$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44',
  ],
  'PBKDF2 (RFC 6070)': ['password', '$pbkdf2$i=4096$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE'],
  'phpass $P$': ['test12345', '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0'],
  'phpass $H$': ['test12345', '$H$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0'],
  '{SSHA}': ['password', '{SSHA}pKqkNr1tq3wtQqk+UcPyA3HnA2NsU5NJ'],
  '{SMD5}': ['password', '{SMD5}jNoSMNY0cybfuBWiaGlFw3Mfi/U='],
  '{SHA512}': ['password', `{SHA512}${createHash('sha512').update('password').digest('base64')}`],
  'MD5, salt before': [
    'password',
    { algorithm: 'md5', hash: hex('md5', 's4ltpassword'), salt: 's4lt', salt_position: 'before' },
  ],
  'SHA-256, salt after, in base64': [
    'password',
    {
      algorithm: 'sha256',
      hash: hex('sha256', 'passwords4lt'),
      salt: 'czRsdA==',
      salt_encoding: 'base64',
      salt_position: 'after',
    },
  ],
  'SHA-1 and SHA-512 alike': [
    'password',
    {
      algorithm: 'sha512',
      hash: hex('sha512', 'passwords4lt').toUpperCase(),
      salt: '73346c74',
      salt_encoding: 'hex',
      salt_position: 'after',
    },
  ],
  'Argon2i (reference implementation)': [
    'password',
    '$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG',
  ],
  'Argon2i of version 16': [
    'password',
    '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
  ],
  'Argon2id (reference implementation)': [
    'password',
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  ],
};

describe('a password hash of another system', () => {
  let lk: TestLatchkey;
  let appId: string;
  let seen: Statement[] | undefined;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ observe: (statement: Statement) => seen?.push(statement) });
    appId = await makeApp(lk);
    const options = { memoryCost: 256, timeCost: 1, parallelism: 1 };
    vectors['Argon2d'] = ['password', await argon2.hash('password', { ...options, type: argon2.argon2d })];
    vectors['Argon2 of Django'] = ['lètmein', `argon2${await argon2.hash('lètmein', options)}`];
  });
  after(() => lk.stop());

  const take = (hash: Given) => makeUser(lk, appId, { password: undefined, password_hash: hash });
  const storedOf = async (userId: string) =>
    (await lk.sql<{ hash: string }>('select hash from passwords where user_id = $1', [userId]))[0]!.hash;
  const attempt = async (email: string, password: string) =>
    isSignedIn(await signInWithPassword(lk.agent(), appId, email, password));

  it('signs in once with each kind and is an Argon2id hash of ours from then on', async function () {
    this.timeout(180_000);
    for (const [name, [password, hash]] of Object.entries(vectors)) {
      const { userId, email } = await take(hash);
      expect(await storedOf(userId), name).not.to.match(OURS);
      expect(await attempt(email, password), name).to.equal(true);
      expect(await storedOf(userId), name).to.match(OURS);
    }
  });

  it('takes no other password for it, before and after', async () => {
    for (const name of ['bcrypt of WordPress 6.8', 'phpass $P$', '{SSHA}', 'Argon2 of Django']) {
      const [password, hash] = vectors[name]!;
      const { userId, email } = await take(hash);
      for (const isOurs of [false, true]) {
        expect(await attempt(email, `${password}!`), name).to.equal(false);
        expect(OURS.test(await storedOf(userId)), name).to.equal(isOurs);
        expect(await attempt(email, password), name).to.equal(true);
      }
    }
  });

  it('#47 of which bcrypt saw 72 bytes is renewed with all of the password', async () => {
    const long = 'a long walk by the violet harbour, '.repeat(3).slice(0, 80);
    const { email } = await take(bcryptSync(long, { cost: 4 }));
    expect(await attempt(email, long)).to.equal(true);
    expect(await attempt(email, long.slice(0, 72))).to.equal(false);
    expect(await attempt(email, long)).to.equal(true);
  });

  it('is compared with the password as it was typed, not as it is folded here', async () => {
    const { email } = await take(bcryptSync('ﬁsh ½ ＡＢＣ', { cost: 4 }));
    expect(await attempt(email, 'fish 1⁄2 ABC')).to.equal(false);
    expect(await attempt(email, 'ﬁsh ½ ＡＢＣ')).to.equal(true);
    // From now on every keyboard types the same one.
    expect(await attempt(email, 'fish 1⁄2 ABC')).to.equal(true);
  });

  it('is renewed once by several sign-ins at once, which all succeed', async () => {
    const { userId, email } = await take('$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0');
    // Four: a fifth one that comes before the first has succeeded locks behind itself.
    const four = Array.from({ length: 4 }, () => signInWithPassword(lk.agent(), appId, email, 'test12345'));
    const pages = await Promise.all(four);
    expect(pages.filter(isSignedIn)).to.have.length(4);
    expect((await redeem(lk, appId, pages[0]!)).status).to.equal(200);
    expect(await storedOf(userId)).to.match(OURS);
    expect(await attempt(email, 'test12345')).to.equal(true);
  });

  it('leaves neither a bare digest nor the key of a Firebase project in the database', async () => {
    const digest = await take('{SMD5}jNoSMNY0cybfuBWiaGlFw3Mfi/U=');
    expect(await storedOf(digest.userId)).to.match(/^\$wrapped-digest\$md5\$after\$[^$]+\$argon2id\$/);
    const { userId } = await take(firebase);
    expect(await storedOf(userId)).not.to.include(firebase.signer_key.slice(0, 20));
    expect(await storedOf(userId)).not.to.include(firebase.hash.slice(0, 20));
  });

  it('is refused in words when it is unknown, incomplete or would tie up a core', async () => {
    const salt = 'c29tZXNhbHQ';
    const tag = randomBytes(32).toString('base64').replace('=', '');
    const refused: [Given, string][] = [
      ['not a hash at all', 'password_hash.unknown'],
      ['$1$abc$0123456789', 'password_hash.unknown'],
      ['{CRYPT}x', 'password_hash.unknown'],
      ['$firebase-scrypt$ln=14,r=8$AAAA$AAAA', 'password_hash.unknown'],
      ['$2x$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'password_hash.malformed'],
      ['$2b$10$short', 'password_hash.malformed'],
      ['$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'password_hash.too_costly'],
      [`$scrypt$ln=14,r=8$${salt}$${tag}`, 'password_hash.malformed'],
      [`$scrypt$ln=20,r=8,p=1$${salt}$${tag}`, 'password_hash.too_costly'],
      [`$scrypt$ln=4000000000,r=8,p=1$${salt}$${tag}`, 'password_hash.too_costly'],
      [`$scrypt$ln=14,r=8,p=1000000$${salt}$${tag}`, 'password_hash.too_costly'],
      [`scrypt$15000$salt$8$1$${tag}`, 'password_hash.malformed'],
      [`$pbkdf2-sha256$i=1000000000$${salt}$${tag}`, 'password_hash.too_costly'],
      [`pbkdf2_sha256$0$salt$${tag}`, 'password_hash.malformed'],
      [`pbkdf2_sha3$1000$salt$${tag}`, 'password_hash.malformed'],
      ['$P$SIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0', 'password_hash.too_costly'],
      ['$P$9short', 'password_hash.malformed'],
      ['{SSHA}c2hvcnQ=', 'password_hash.malformed'],
      [`$argon2id$v=19$m=4194304,t=1,p=1$${salt}$${tag}`, 'password_hash.too_costly'],
      [`$argon2id$v=19$m=65536,t=4000000,p=1$${salt}$${tag}`, 'password_hash.too_costly'],
      [`$argon2id$v=19$m=65536,t=3$${salt}$${tag}`, 'password_hash.malformed'],
      [{ ...firebase, mem_cost: 40 }, 'password_hash.too_costly'],
      [{ ...firebase, signer_key: 'AAAA' }, 'password_hash.malformed'],
      [{ algorithm: 'md5', hash: 'zz', salt: 'x', salt_position: 'after' }, 'password_hash.malformed'],
      [{ algorithm: 'md5', hash: 'zz', salt: 'x' }, 'request.invalid'],
    ];
    for (const [hash, code] of refused) {
      const answer = await lk.admin('POST', `/apps/${appId}/users`, {
        email: freshEmail(),
        password_hash: hash,
      });
      expect([answer.status, answer.body.code], JSON.stringify(hash)).to.deep.equal([400, code]);
    }
    const both = { email: freshEmail(), password: 'violet harbour ninety', password_hash: '{SSHA}x' };
    const answer = await lk.admin('POST', `/apps/${appId}/users`, both);
    expect(answer.body.errors?.[0]?.field ?? answer.body.field ?? JSON.stringify(answer.body)).to.include(
      'password_hash',
    );
    expect(answer.status).to.equal(400);
  });

  it('#51 makes a wrong password run the same statements for everybody', async () => {
    const elsewhere = await take('$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW');
    const here = await makeUser(lk, appId);
    const runs: string[][] = [];
    for (const email of [elsewhere.email, here.email, freshEmail()]) {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      seen = [];
      await agent.submit(page, { email, password: 'not the right one at all' }, { ending: '/password' });
      runs.push(seen.map(({ text }) => text).filter((text) => /passwords|sign_in_failures/.test(text)));
      seen = undefined;
    }
    expect(runs[0]).to.have.length(1);
    expect(runs[1]).to.deep.equal(runs[0]);
    expect(runs[2]).to.deep.equal(runs[0]);
  });
});

describe('comparing with hashes of another system', () => {
  it('finds every other password wrong', async () => {
    const hasher = await createPasswordHasher();
    for (const [name, [password, hash]] of Object.entries(vectors)) {
      const stored = await takeOver(hash as GivenHash, hasher.hash);
      const isRight = await hasher.inTurn(({ verify }) => verify(stored, `${password}!`));
      expect(isRight, name).to.equal(false);
    }
  });

  it('#51 costs one comparison of ours and one of theirs for every wrong password', async () => {
    const compared: string[] = [];
    const hasher = await createPasswordHasher({
      argon2: {
        name: 'argon2',
        hash: (password) => Promise.resolve(`$argon2id$of ${password}`),
        verify: (hash) => {
          compared.push(hash.startsWith('$argon2i$') ? 'theirs' : 'ours');
          return Promise.resolve(false);
        },
      },
    });
    const theirs = await takeOver(
      '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
      hasher.hash,
    );
    for (const stored of [theirs, await hasher.hash('mine'), undefined]) {
      compared.length = 0;
      expect(await hasher.inTurn(({ verify }) => verify(stored, 'wrong', theirs))).to.equal(false);
      expect(compared.toSorted()).to.deep.equal(['ours', 'theirs']);
      compared.length = 0;
      await hasher.inTurn(({ verify }) => verify(stored === theirs ? undefined : stored, 'wrong'));
      expect(compared).to.deep.equal(['ours']);
    }
  });
});
