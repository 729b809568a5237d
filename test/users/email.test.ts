import { expect } from 'chai';
import { normalizeEmail } from '../../src/users/email.ts';

describe('users: an e-mail address', () => {
  const canonical: Record<string, string> = {
    'Ada@Example.COM': 'ada@example.com',
    '  ada@example.com ': 'ada@example.com',
    'victim＠acme.test': 'victim@acme.test',
    'ｖｉｃｔｉｍ@ａｃｍｅ.test': 'victim@acme.test',
    'ada+shop@example.com': 'ada+shop@example.com',
    'ada@bücher.example': 'ada@xn--bcher-kva.example',
    'ada@XN--BCHER-KVA.example': 'ada@xn--bcher-kva.example',
    'ada@ExamPLe。com': 'ada@example.com',
    "o'hara@example.com": "o'hara@example.com",
    '\u212Aelvin@example.com': 'kelvin@example.com',
  };
  for (const [typed, stored] of Object.entries(canonical)) {
    it(`is stored, looked up and mailed as ${stored} when typed as ${JSON.stringify(typed)}`, () => {
      expect(normalizeEmail(typed)).to.equal(stored);
    });
  }

  it('stays what it is when it is normalized again', () => {
    for (const typed of Object.keys(canonical)) {
      const once = normalizeEmail(typed);
      expect(normalizeEmail(once)).to.equal(once);
    }
  });

  const refused = [
    '',
    'ada',
    '@example.com',
    'ada@',
    'ada@@example.com',
    'a@b,c@d',
    'ada@example.com,eve@evil.test',
    'ada@example.com;eve@evil.test',
    'a@b\r\nBcc: eve@evil.test',
    'ada@example.com\r\n',
    'ada@example.com\nBcc:eve@evil.test',
    'ada\0@example.com',
    'ada@example.com.',
    'ada@example..com',
    'ada@.example.com',
    '.ada@example.com',
    'ada.@example.com',
    'a..b@example.com',
    'ada b@example.com',
    'ada@exam ple.com',
    '"ada"@example.com',
    'ada@[127.0.0.1]',
    'ada@127.0.0.1',
    'ada@1.2',
    'ada@1.0x7f',
    'ada@localhost',
    'ada@evil.test@example.com',
    'ada＠evil.test@example.com',
    'ada@example.com#evil.test',
    'ada@example.com/evil',
    'ada@exa%6dple.com',
    'ada@-example.com',
    'ada@example-.com',
    'ada@exa_mple.com',
    'Ada <ada@example.com>',
    'ada\u200b@example.com',
    'ada\u202e@example.com',
    'аda@example.com',
    'ada@example.com\u2028',
    'ada@a\uff0cb.test',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a'.repeat(64)}.test`,
    `ada@${'abcdefgh.'.repeat(32)}test`,
    'ada@example.com\u0000',
  ];
  for (const typed of refused) {
    it(`is refused when it is ${JSON.stringify(typed).slice(0, 60)}`, () => {
      expect(normalizeEmail(typed)).to.equal(undefined);
    });
  }

  it('is refused when it is no text at all', () => {
    for (const value of [undefined, null, 7, ['ada@example.com'], { toString: () => 'ada@example.com' }])
      expect(normalizeEmail(value)).to.equal(undefined);
  });
});
