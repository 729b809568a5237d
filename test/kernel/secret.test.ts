import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import {
  newNonce,
  newSecret,
  newSixDigitCode,
  type RootKeys,
  sameSecret,
  seal,
  unseal,
} from '../../src/kernel/secret.ts';
import { spoilt } from '../support/token-calls.ts';

describe('sealed envelopes', () => {
  const old = randomBytes(32);
  const at = { appId: 'shop', table: 'jobs', row: 'job_1', column: 'payload' };

  it('open where they were sealed, under any of the root keys', () => {
    const sealed = seal([old], at, 'a secret ✓');
    expect(unseal([randomBytes(32), old] as RootKeys, at, sealed)).to.equal('a secret ✓');
  });

  it('open nowhere else: not in another app, table, row or column, and not when changed', () => {
    const sealed = seal([old], at, 'a secret');
    for (const other of [{ appId: 'forum' }, { table: 'users' }, { row: 'job_2' }, { column: 'note' }]) {
      expect(() => unseal([old], { ...at, ...other }, sealed)).to.throw();
    }
    expect(() => unseal([old], at, spoilt(sealed))).to.throw();
    expect(() => unseal([randomBytes(32)], at, sealed)).to.throw(/no key of ENCRYPTION_KEYS/);
  });
});

describe('secrets', () => {
  it('compare by value, whatever their lengths', () => {
    expect(sameSecret('abc', 'abc')).to.equal(true);
    expect(sameSecret('abc', 'abd')).to.equal(false);
    expect(sameSecret('abc', 'abcd')).to.equal(false);
  });

  it('are never given out twice, however their bytes were drawn', () => {
    const drawn = Array.from({ length: 5000 }, (_, at) => (at % 3 ? newSecret() : newNonce()));
    expect(new Set(drawn).size).to.equal(5000);
    for (const secret of drawn) expect(secret).to.match(/^(?:[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{22})$/);
    // None holds what another one held, whatever its length.
    expect(new Set(drawn.map((secret) => secret.slice(0, 16))).size).to.equal(5000);
  });

  it('of six digits always have six', () => {
    for (let i = 0; i < 200; i += 1) expect(newSixDigitCode()).to.match(/^\d{6}$/);
  });
});
