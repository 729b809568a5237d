import { expect } from 'chai';
import { FrequencyCache } from '../../src/kernel/frequency-cache.ts';

describe('a frequency cache', () => {
  it('never holds more than it may', () => {
    const cache = new FrequencyCache<number>(100);
    for (let i = 0; i < 1000; i += 1) cache.set(`k${i}`, i);
    expect(cache.size).to.equal(100);
  });

  it('keeps what is used often when something passes over every key once', () => {
    const cache = new FrequencyCache<number>(100);
    for (let i = 0; i < 50; i += 1) cache.set(`hot${i}`, i);
    for (let round = 0; round < 10; round += 1) for (let i = 0; i < 50; i += 1) cache.get(`hot${i}`);
    for (let i = 0; i < 5000; i += 1) cache.set(`scan${i}`, i);
    const kept = Array.from({ length: 50 }, (_, i) => cache.get(`hot${i}`)).filter(
      (value) => value !== undefined,
    );
    expect(kept.length).to.be.greaterThan(45);
  });

  it('finds some of the keys where more of them take turns than there is room for', () => {
    const cache = new FrequencyCache<number>(100);
    let found = 0;
    for (let at = 0; at < 20_000; at += 1) {
      if (cache.get(`k${at % 400}`) !== undefined) found += 1;
      else cache.offer(`k${at % 400}`, at);
    }
    expect(found / 20_000, 'a quarter has room').to.be.within(0.2, 0.3);
  });

  it('finds nearly as much as could be found where few keys are asked for often and many seldom', () => {
    const cache = new FrequencyCache<number>(150);
    let state = 1;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    let [asked, found] = [0, 0];
    for (let at = 0; at < 60_000; at += 1) {
      // Zipf: the logarithm of the rank is uniform. 150 of 1,000 ranks are 0.725 of what is asked for.
      const key = `k${Math.floor(1001 ** random())}`;
      const value = cache.get(key);
      if (value === undefined) cache.offer(key, at);
      if (at < 30_000) continue;
      asked += 1;
      if (value !== undefined) found += 1;
    }
    expect(found / asked).to.be.greaterThan(0.67);
  });

  it('takes in what has become common, and lets go of what was', () => {
    const cache = new FrequencyCache<number>(100);
    const ask = (key: string): boolean => {
      const known = cache.get(key) !== undefined;
      if (!known) cache.offer(key, 1);
      return known;
    };
    for (let at = 0; at < 200_000; at += 1) ask(`old${at % 100}`);
    for (let at = 0; at < 20_000; at += 1) ask(`new${at % 100}`);
    const found = Array.from({ length: 100 }, (_, at) => ask(`new${at}`)).filter(Boolean).length;
    expect(found).to.be.greaterThan(90);
  });

  it('keeps what is set, however much was used before it: a token that is new is asked about next', () => {
    const cache = new FrequencyCache<number>(100);
    for (let token = 0; token < 1000; token += 1) {
      cache.set(`t${token}`, token);
      for (let use = 0; use < 20; use += 1) expect(cache.get(`t${token}`), `t${token}`).to.equal(token);
    }
    expect(cache.size).to.equal(100);
  });

  it('keeps its entries apart when some are deleted', () => {
    const cache = new FrequencyCache<number>(10);
    for (let at = 0; at < 10; at += 1) cache.set(`k${at}`, at);
    for (const at of [3, 9, 0]) cache.delete(`k${at}`);
    expect([...cache.entries()].map(([, value]) => value)).to.have.members([1, 2, 4, 5, 6, 7, 8]);
    for (const at of [1, 2, 4, 5, 6, 7, 8]) expect(cache.get(`k${at}`)).to.equal(at);
    cache.set('k3', 33);
    expect(cache.get('k3')).to.equal(33);
    expect(cache.size).to.equal(8);
  });

  it('gives every entry once, also while some of them are deleted', () => {
    const cache = new FrequencyCache<number>(10);
    for (let at = 0; at < 10; at += 1) cache.set(`k${at}`, at);
    const given: number[] = [];
    for (const [key, value] of cache.entries()) {
      given.push(value);
      if (value % 3 === 0) cache.delete(key);
    }
    expect(given).to.have.members([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).and.to.have.length(10);
    expect(cache.size).to.equal(6);
  });

  it('forgets on request', () => {
    const cache = new FrequencyCache<number>(10);
    cache.set('a', 1);
    cache.delete('a');
    expect(cache.get('a')).to.equal(undefined);
  });
});
