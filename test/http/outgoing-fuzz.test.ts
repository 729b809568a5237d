import { expect } from 'chai';
import { isPublicAddress } from '../../src/http/outgoing/address.ts';
import { mayBeFetched } from '../../src/http/outgoing.ts';

const ROUNDS = 3000;
type Draw = (below: number) => number;

/** A small generator, so that a failure can be run again from its seed. */
function generator(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('spellings of addresses', () => {
  const seed = Date.now() % 2 ** 32;

  it('#77 never make a private address look public', () => {
    const draw = generator(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const address = NETWORKS[draw(NETWORKS.length)]!(draw);
      const url = `https://${spelled(address, draw)}/`;
      expect(mayBeFetched(url, []), `${url} for ${address.join('.')}, seed ${seed}`).to.equal(false);
    }
  });

  it('#77 never make a public address look private, so that the test above can fail', () => {
    const draw = generator(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const address = [8, draw(256), draw(256), draw(256)];
      const [a, b, c, d] = address;
      const whole = ((a! * 256 + b!) * 256 + c!) * 256 + d!;
      for (const host of [
        address.join('.'),
        String(whole),
        `0x${whole.toString(16)}`,
        numeral(address, draw),
      ])
        expect(mayBeFetched(`https://${host}/`, []), `${host}, seed ${seed}`).to.equal(true);
      expect(isPublicAddress(`64:ff9b::${address.join('.')}`)).to.equal(true);
      expect(isPublicAddress(`2a00:${draw(65_536).toString(16)}::1`)).to.equal(true);
    }
  });

  it('#77 are refused when they are none', () => {
    for (const text of [
      '',
      'x',
      '127.0.0',
      '1.2.3.4.5',
      '::1%lo',
      ':::',
      '12345::',
      '[::1]',
      '8.8.8.8/8',
      ' 8.8.8.8',
    ])
      expect(isPublicAddress(text), text).to.equal(false);
  });
});

const byte = (draw: Draw): number => draw(256);
const NETWORKS: ((draw: Draw) => number[])[] = [
  (draw) => [127, byte(draw), byte(draw), byte(draw)],
  (draw) => [10, byte(draw), byte(draw), byte(draw)],
  (draw) => [0, byte(draw), byte(draw), byte(draw)],
  (draw) => [172, 16 + draw(16), byte(draw), byte(draw)],
  (draw) => [192, 168, byte(draw), byte(draw)],
  (draw) => [169, 254, byte(draw), byte(draw)],
  (draw) => [100, 64 + draw(64), byte(draw), byte(draw)],
  (draw) => [224 + draw(32), byte(draw), byte(draw), byte(draw)],
];

/** As one to four numbers, each decimal, octal or hexadecimal (what inet_aton takes). */
function numeral(bytes: readonly number[], draw: Draw): string {
  const count = 1 + draw(4);
  const last = bytes.slice(count - 1).reduce((whole, part) => whole * 256 + part, 0);
  return [...bytes.slice(0, count - 1), last]
    .map(
      (part) =>
        [String(part), `0${part.toString(8)}`, `0x${part.toString(16)}`, `0X00${part.toString(16)}`][draw(4)],
    )
    .join('.');
}

function spelled(bytes: readonly number[], draw: Draw): string {
  const [a, b, c, d] = bytes.map((part) => part.toString(16).padStart(2, '0'));
  const hex = `${a}${b}:${c}${d}`;
  const forms = [
    () => numeral(bytes, draw),
    () => `${numeral(bytes, draw)}.`,
    () => bytes.join(['。', '．', '｡'][draw(3)]),
    () =>
      bytes
        .join('.')
        .replace(/\d/g, (digit) => (draw(2) ? digit : String.fromCodePoint(0xff10 + Number(digit)))),
    () => bytes.join('.').replace(/\d/g, (digit) => (draw(2) ? digit : `%3${digit}`)),
    () => `[::ffff:${bytes.join('.')}]`,
    () => `[::FFFF:${hex.toUpperCase()}]`,
    () => `[0:0:0:0:0:ffff:${hex}]`,
    () => `[::${hex}]`,
    () => `[64:ff9b::${bytes.join('.')}]`,
    () => `[2002:${hex}::${draw(65_536).toString(16)}]`,
    () => `[2001:0:${hex}:${draw(65_536).toString(16)}::1]`,
    () => `user@${bytes.join('.')}`,
    () => `rp.example.com@${numeral(bytes, draw)}`,
  ];
  return forms[draw(forms.length)]!();
}
