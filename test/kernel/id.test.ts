import { expect } from 'chai';
import { isId, newId } from '../../src/kernel/id.ts';

describe('ids', () => {
  it('are unique and in the order they were made, also within one millisecond and when the clock steps back', () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => newId('usr', i % 3 === 0 ? 1_000 : undefined));
    expect(new Set(ids).size).to.equal(ids.length);
    expect([...ids].sort()).to.deep.equal(ids);
  });

  it('bear their type and are UUIDs of version 7', () => {
    const id = newId('app' as 'usr');
    expect(id).to.match(/^app_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    expect(isId('usr', newId('usr'))).to.equal(true);
    expect(isId('usr', newId('ses'))).to.equal(false);
    expect(isId('usr', 'usr_x')).to.equal(false);
  });
});
