import { expect } from 'chai';
import { judge, lookTwice, type Pair } from './pairs.ts';

/** The same numbers each time (mulberry32). */
function drawn(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `busy`: one in ten takes up to ten times as long, and others come and go for minutes. */
function pairs(random: () => number, count: number, { leakMs = 0, busy = 0 }): Pair[] {
  const answer = (load: number) =>
    40 + 6 * load * (random() + random() + random()) + (random() < 0.02 + 0.08 * busy ? 400 * random() : 0);
  return Array.from({ length: count }, (_, i) => {
    const load = 1 + 3 * busy * Math.abs(Math.sin(i / 25));
    return [answer(load) + leakMs, answer(load)] as const;
  });
}

describe('the statistics behind `npm run test:timing`', () => {
  it('take equal answers for different once in two hundred looks, and hardly ever twice', async () => {
    const random = drawn(1);
    const looks = Array.from({ length: 1000 }, () => judge(pairs(random, 60, { busy: 1 })));
    // 0.5 % of 1000 are 5; 17 is five standard deviations away.
    expect(looks.filter(({ isApart }) => isApart).length).to.be.lessThan(17);
    const runs = Array.from({ length: 500 }, () =>
      lookTwice(async () => judge(pairs(random, 60, { busy: 1 }))),
    );
    expect((await Promise.all(runs)).filter(({ isApart }) => isApart)).to.deep.equal([]);
  });

  it('find two milliseconds where it is quiet, and half of what single answers differ by where it is not', async () => {
    const random = drawn(2);
    for (const leaky of [{ leakMs: 2 }, { leakMs: 8, busy: 1 }]) {
      const looks = Array.from({ length: 20 }, () => lookTwice(async () => judge(pairs(random, 200, leaky))));
      for (const { isApart, shift } of await Promise.all(looks)) {
        expect(isApart).to.equal(true);
        expect(shift).to.be.closeTo(leaky.leakMs, leaky.leakMs);
      }
    }
  });

  it('say nothing of a difference that no network would carry', () => {
    const random = drawn(3);
    const fine = Array.from({ length: 500 }, () => [10.2 + random() / 100, 10 + random() / 100] as const);
    expect(judge(fine)).to.deep.include({ isApart: false });
    expect(judge(fine).p).to.be.lessThan(1e-6);
  });
});
