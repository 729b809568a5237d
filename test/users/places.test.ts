import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { deviceInWords } from '../../src/http/device-in-words.ts';
import { deviceOf } from '../../src/users/devices/device-name.ts';
import { openPlaces, placeInWords } from '../../src/users/places/places.ts';
import { mmdb } from '../support/mmdb.ts';

const LONDON = {
  city: { names: { en: 'London', de: 'London', fr: 'Londres' } },
  country: { iso_code: 'GB', names: { en: 'United Kingdom', de: 'Vereinigtes Königreich' } },
};
const LISBON = {
  city: { names: { en: 'Lisbon', 'pt-BR': 'Lisboa' } },
  country: { iso_code: 'PT', names: { en: 'Portugal' } },
};

describe('places of addresses', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-places-'));
  const file = join(folder, 'places.mmdb');
  const warnings: string[] = [];
  const log = {
    warn: (_fields: object, message: string) => void warnings.push(message),
    info: () => {},
  };
  beforeEach(() => {
    warnings.length = 0;
    writeFileSync(file, mmdb({ '81.2.69.0/24': LONDON, '10.0.0.0/8': LONDON, '127.0.0.0/8': LONDON }));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are named in the language asked for, as far as the file has it', async () => {
    const places = await openPlaces(file, log);
    expect(places.of('81.2.69.142', 'de')).to.deep.equal({
      city: 'London',
      country: 'Vereinigtes Königreich',
      country_code: 'GB',
    });
    expect(placeInWords(places.of('81.2.69.142', 'fr'))).to.equal('Londres, United Kingdom');
    expect(placeInWords(places.of('::ffff:81.2.69.1', 'ja'))).to.equal('London, United Kingdom');
  });

  it('are unknown for private addresses whatever the file says, and for what is no address', async () => {
    const places = await openPlaces(file, log);
    for (const address of [
      '10.1.2.3',
      '127.0.0.1',
      '::1',
      'fe80::1',
      '8.8.8.8',
      '2001:4860::1',
      'nonsense',
      '',
      null,
    ])
      expect(places.of(address, 'en'), String(address)).to.equal(undefined);
  });

  it('come from the new file when it has changed, and from the old one when the new one is damaged', async () => {
    const places = await openPlaces(file, log);
    writeFileSync(file, mmdb({ '81.2.69.0/24': LISBON, '82.0.0.0/8': LONDON }));
    await places.refresh();
    expect(placeInWords(places.of('81.2.69.142', 'pt'))).to.equal('Lisboa, Portugal');
    writeFileSync(file, 'half a file');
    await places.refresh();
    expect(placeInWords(places.of('81.2.69.142', 'pt'))).to.equal('Lisboa, Portugal');
    expect(warnings).to.have.length(1);
    rmSync(file);
    await places.refresh();
    expect(placeInWords(places.of('81.2.69.142', 'pt'))).to.equal('Lisboa, Portugal');
  });

  it('stop the start when the file is missing or is something else', async () => {
    for (const content of [undefined, '', 'not a database at all'] as const) {
      if (content === undefined) rmSync(file);
      else writeFileSync(file, content);
      const error = await openPlaces(file, log).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(String(error), String(content)).to.match(/GEOIP_DATABASE/);
    }
  });
});

describe('names of devices', () => {
  it('are browser and system, of what is known', () => {
    const chrome =
      'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36';
    expect(deviceOf(chrome)).to.deep.equal({ browser: 'Chrome', os: 'Android', kind: 'mobile' });
    expect(deviceInWords('en', deviceOf(chrome))).to.equal('Chrome on Android');
    expect(deviceInWords('ja', deviceOf(chrome))).to.equal('Android の Chrome');
    // It begins with a mark, so that it is read from the right also where it stands by itself.
    expect(deviceInWords('ar', deviceOf(chrome))).to.equal('\u200fChrome على Android');
    expect(deviceInWords('de', { browser: null, os: 'Android' })).to.equal('Android');
    expect(deviceInWords('de', 'Küchengerät')).to.equal('Küchengerät');
    expect(deviceInWords('de', null)).to.equal('');
  });

  it('never are text out of the header', () => {
    for (const header of [
      'Ada’s laptop/1.0',
      '<script>/1',
      'curl/8.0',
      '',
      '   ',
      undefined,
      'x'.repeat(9999),
    ])
      expect(deviceInWords('en', deviceOf(header)), header).to.be.oneOf(['', 'curl']);
  });
});
