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

  it('forgets on request', () => {
    const cache = new FrequencyCache<number>(10);
    cache.set('a', 1);
    cache.delete('a');
    expect(cache.get('a')).to.equal(undefined);
  });
});
