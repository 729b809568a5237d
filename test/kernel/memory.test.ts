import { getHeapStatistics } from 'node:v8';
import { expect } from 'chai';
import { giveBackMemory } from '../../src/kernel/memory.ts';

describe('memory', () => {
  it('is given back to the machine', () => {
    let held: number[][] | undefined = Array.from({ length: 400 }, () =>
      Array.from({ length: 12_500 }, () => 1),
    );
    const before = getHeapStatistics().total_heap_size;
    expect(held).to.have.length(400);
    held = undefined;
    giveBackMemory();
    expect(before - getHeapStatistics().total_heap_size).to.be.greaterThan(30e6);
  });
});
