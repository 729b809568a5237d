import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { RootKeys } from '../../src/kernel/secret.ts';
import { type ChallengeFor, isChallengeFor, newChallenge } from '../../src/sign-in/passkeys/challenge.ts';

describe('a challenge for a passkey', () => {
  const keys: RootKeys = [randomBytes(32)];
  const at: ChallengeFor = { appId: 'shop', purpose: 'sign_in', subject: 'uid-1' };
  const now = 1_800_000_000_000;
  const challenge = newChallenge(keys, at, now).toString('base64url');

  it('#60 is good for five minutes', () => {
    for (const [seconds, isGood] of [
      [0, true],
      [300, true],
      [301, false],
      [86_400, false],
      [-15, true],
      [-16, false],
    ] as const)
      expect(isChallengeFor(keys, at, challenge, now + seconds * 1000), String(seconds)).to.equal(isGood);
  });

  it('#60 is good for one purpose of one app in one interaction, and under a retired key as long', () => {
    const others: ChallengeFor[] = [
      { ...at, appId: 'ledger' },
      { ...at, purpose: 'registration' },
      { ...at, purpose: 'second_factor' },
      { ...at, subject: 'uid-2' },
    ];
    for (const other of others) expect(isChallengeFor(keys, other, challenge, now)).to.equal(false);
    expect(isChallengeFor([randomBytes(32), keys[0]], at, challenge, now)).to.equal(true);
    expect(isChallengeFor([randomBytes(32)], at, challenge, now)).to.equal(false);
  });

  it('is drawn anew each time, with 256 random bits, and holds in one spelling only', () => {
    const many = Array.from({ length: 64 }, () => newChallenge(keys, at, now));
    expect(new Set(many.map((one) => one.subarray(0, 32).toString('hex')))).to.have.length(64);
    for (let i = 0; i < many[0]!.length; i += 1) {
      const changed = Buffer.from(many[0]!);
      changed[i]! ^= 1;
      expect(isChallengeFor(keys, at, changed.toString('base64url'), now), `byte ${i}`).to.equal(false);
    }
    for (const spelling of [`${challenge}=`, `${challenge}A`, challenge.slice(1), '', ` ${challenge}`])
      expect(isChallengeFor(keys, at, spelling, now), spelling).to.equal(false);
  });
});
