import { expect } from 'chai';
import { normalizePhone } from '../../src/users/phone.ts';
import { changeProfile, profileChangeSchema, profileSchema } from '../../src/users/profile.ts';

describe('users: a profile', () => {
  it('holds the standard claims', () => {
    const profile = {
      name: 'Ada Lovelace',
      birthdate: '1815-12-10',
      zoneinfo: 'Europe/London',
      locale: 'en-GB',
      address: { country: 'UK', formatted: 'a\nb' },
    };
    expect(profileSchema.parse(profile)).to.deep.equal(profile);
  });

  it('refuses claims that are not a profile, addresses that are not https, and disguised text', () => {
    for (const wrong of [
      { sub: 'usr_1' },
      { email_verified: true },
      { picture: 'http://a.example/p.png' },
      { website: 'javascript:alert(1)' },
      { name: 'a\u202eb' },
      { name: 'a\nb' },
      { name: '' },
      { name: 'x'.repeat(257) },
      { birthdate: '10.12.1815' },
      { zoneinfo: 'Mars/Base' },
      { locale: 'not a locale' },
      { address: { planet: 'x' } },
    ])
      expect(profileSchema.safeParse(wrong).success, JSON.stringify(wrong)).to.equal(false);
  });

  it('is changed claim by claim, and null removes one', () => {
    const change = profileChangeSchema.parse({ name: null, nickname: 'ada' });
    expect(changeProfile({ name: 'Ada', gender: 'f' }, change)).to.deep.equal({
      gender: 'f',
      nickname: 'ada',
    });
  });

  it('keeps phone numbers in one international form', () => {
    expect(normalizePhone('+41 44 123-45-67')).to.equal('+41441234567');
    for (const wrong of ['0441234567', '+0441234567', '+41', '+4144123456789012', '+41 44 CALL', ''])
      expect(normalizePhone(wrong)).to.equal(undefined);
  });
});
