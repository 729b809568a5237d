import { expect } from 'chai';
import type { ClientType } from '../../src/apps/app.ts';
import { requireOrigins, requireRedirectUris } from '../../src/apps/clients/redirect-uris.ts';
import type { Problem } from '../../src/kernel/problem.ts';

const fieldOf = (check: () => void): string | undefined => {
  try {
    check();
    return undefined;
  } catch (error) {
    return (error as Problem).field;
  }
};

describe('apps: redirect URIs', () => {
  const accepted: [ClientType, string][] = [
    ['web', 'https://shop.example/callback'],
    ['web', 'https://shop.example'],
    ['spa', 'https://shop.example:8443/cb?tenant=a'],
    ['web', 'http://localhost:8080/cb'],
    ['web', 'http://127.0.0.1/cb'],
    ['native', 'http://[::1]:9/cb'],
    ['native', 'com.example.app:/callback'],
    ['native', 'com.example.app://callback'],
    ['native', 'https://app.example/cb'],
  ];
  for (const [type, uri] of accepted) {
    it(`accepts ${uri} for a ${type} client`, () => {
      expect(fieldOf(() => requireRedirectUris(type, 'redirect_uris', [uri]))).to.equal(undefined);
    });
  }

  const refused: [ClientType, string][] = [
    ['web', 'http://shop.example/cb'],
    ['web', '/callback'],
    ['web', '//shop.example/cb'],
    ['web', 'https://shop.example/cb#x'],
    ['web', 'https://*.shop.example/cb'],
    ['web', 'https://shop.example/*'],
    ['web', 'https://user@shop.example/'],
    ['web', 'https://user:pw@shop.example/'],
    ['web', 'https://@shop.example/'],
    ['web', 'https:shop.example/cb'],
    ['web', 'https:///shop.example/cb'],
    ['web', 'https://shop.example\\@evil.test/'],
    ['web', 'HTTPS://shop.example/cb'],
    ['web', 'https://ShOp.example/cb'],
    ['web', 'https://2130706433/cb'],
    ['web', 'https://bücher.example/'],
    ['web', ' https://shop.example/'],
    ['web', 'https://shop.example/\n'],
    ['web', 'com.example.app:/cb'],
    ['spa', 'com.example.app:/cb'],
    ['native', 'myapp:/cb'],
    ['native', 'javascript:alert(1)'],
    ['native', 'javascript:a.b'],
    ['native', 'data:text/html,x'],
    ['native', 'file:///etc/passwd'],
    ['native', 'http://localhost.evil.test/cb'],
    ['native', 'http://127.0.0.2.evil.test/'],
    ['web', 'about:blank'],
  ];
  for (const [type, uri] of refused) {
    it(`refuses ${JSON.stringify(uri)} for a ${type} client`, () => {
      expect(
        fieldOf(() => requireRedirectUris(type, 'redirect_uris', ['https://ok.example/', uri])),
      ).to.equal('redirect_uris.1');
    });
  }

  it('refuses the same address twice', () => {
    expect(
      fieldOf(() =>
        requireRedirectUris('web', 'redirect_uris', ['https://a.example/', 'https://a.example/']),
      ),
    ).to.equal('redirect_uris.1');
  });

  it('takes origins that are nothing but origins', () => {
    expect(
      fieldOf(() => requireOrigins('allowed_origins', ['https://a.example', 'http://localhost:5173'])),
    ).to.equal(undefined);
    for (const origin of [
      'https://a.example/',
      'http://a.example',
      '*',
      'null',
      'https://*.a.example',
      'https://u@a.example',
      'https://a.example/path',
    ]) {
      expect(
        fieldOf(() => requireOrigins('allowed_origins', [origin])),
        origin,
      ).to.equal('allowed_origins.0');
    }
  });
});
