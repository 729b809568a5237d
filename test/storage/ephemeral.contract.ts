import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EphemeralStore } from '../../src/storage/ephemeral.ts';

/** What every driver of EphemeralStore must do; run against each on the real engine. */
export function ephemeralStoreContract(
  name: string,
  open: () => Promise<{ store: EphemeralStore; end(): Promise<void> }>,
): void {
  describe(`EphemeralStore on ${name}`, () => {
    let store: EphemeralStore;
    let end: () => Promise<void>;

    before(async () => {
      ({ store, end } = await open());
    });
    after(() => end());

    it('gives back what was put, with the time it still has', async () => {
      await store.put('app-one', 'a', 'value', { ttlSeconds: 60 });
      const found = await store.get('app-one', 'a');
      expect(found?.value).to.equal('value');
      expect(found?.remainingSeconds).to.be.within(58, 60);
      expect(await store.read('app-one', 'a')).to.equal('value');
      expect(await store.read('app-one', 'nothing')).to.equal(undefined);
    });

    it('keeps apps apart: the same key in another app is another value', async () => {
      await store.put('app-one', 'same', 'one', { ttlSeconds: 60 });
      await store.put('app-two', 'same', 'two', { ttlSeconds: 60 });
      expect((await store.get('app-one', 'same'))?.value).to.equal('one');
      expect(await store.read('app-two', 'same')).to.equal('two');
      expect(await store.delete('app-two', 'same')).to.equal(true);
      expect(await store.read('app-two', 'same')).to.equal(undefined);
      expect((await store.get('app-one', 'same'))?.value).to.equal('one');
    });

    it('overwrites with put, but not with ifAbsent', async () => {
      await store.put('app-one', 'b', 'first', { ttlSeconds: 60 });
      expect(await store.put('app-one', 'b', 'second', { ttlSeconds: 60, ifAbsent: true })).to.equal(false);
      expect((await store.get('app-one', 'b'))?.value).to.equal('first');
      expect(await store.put('app-one', 'b', 'third', { ttlSeconds: 60 })).to.equal(true);
      expect((await store.get('app-one', 'b'))?.value).to.equal('third');
    });

    it('forgets a value when its time is over, for every verb', async () => {
      await store.put('app-one', 'short', 'value', { ttlSeconds: 0.05 });
      await store.put('app-one', 'short-take', 'value', { ttlSeconds: 0.05 });
      await sleep(120);
      expect(await store.get('app-one', 'short')).to.equal(undefined);
      expect(await store.read('app-one', 'short')).to.equal(undefined);
      expect(await store.take('app-one', 'short-take')).to.equal(undefined);
      expect(await store.delete('app-one', 'short')).to.equal(false);
      expect(await store.put('app-one', 'short', 'again', { ttlSeconds: 60, ifAbsent: true })).to.equal(true);
    });

    it('says whether there was something to delete', async () => {
      await store.put('app-one', 'c', 'value', { ttlSeconds: 60 });
      expect(await store.delete('app-one', 'c')).to.equal(true);
      expect(await store.delete('app-one', 'c')).to.equal(false);
    });

    it('hands a value to exactly one of sixteen takers at once', async () => {
      await store.put('app-one', 'once', 'prize', { ttlSeconds: 60 });
      const takers = await Promise.all(Array.from({ length: 16 }, () => store.take('app-one', 'once')));
      expect(takers.filter((value) => value === 'prize')).to.have.length(1);
    });

    it('lets exactly one of sixteen win an ifAbsent put', async () => {
      const winners = await Promise.all(
        Array.from({ length: 16 }, (_, i) =>
          store.put('app-one', 'first', String(i), { ttlSeconds: 60, ifAbsent: true }),
        ),
      );
      expect(winners.filter(Boolean)).to.have.length(1);
    });

    it('counts every one of fifty increments at once, and the clock starts with the first', async () => {
      const sums = await Promise.all(
        Array.from({ length: 50 }, () => store.increment('app-one', 'count', 60)),
      );
      expect(new Set(sums).size).to.equal(50);
      expect(Math.max(...sums)).to.equal(50);
      await store.increment('app-one', 'clock', 30);
      await store.increment('app-one', 'clock', 600);
      expect((await store.get('app-one', 'clock'))?.remainingSeconds).to.be.at.most(30);
      await store.increment('app-one', 'short-count', 0.05);
      await sleep(120);
      expect(await store.increment('app-one', 'short-count', 60)).to.equal(1);
    });

    it('stores text of any alphabet and 100 kB', async () => {
      const value = 'ä🔑\u0001"\''.repeat(12_000);
      await store.put('app-one', 'long', value, { ttlSeconds: 60 });
      expect((await store.get('app-one', 'long'))?.value).to.equal(value);
    });
  });
}
