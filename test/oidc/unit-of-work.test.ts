import { expect } from 'chai';
import { UnitOfWork } from '../../src/oidc/unit-of-work.ts';
import { type TestDatabase, testDatabase } from '../support/stores.ts';

describe('what a request writes', () => {
  let stores: TestDatabase;
  before(async () => {
    stores = await testDatabase();
  });
  after(() => stores.end());

  /** What was run, where the first write is done beside others or not, and more stand behind it. */
  const run = async (isDone: boolean, ...behind: ('one' | 'nothing')[]): Promise<string[]> => {
    const done: string[] = [];
    const write = (name: string) => () => Promise.resolve(void done.push(name));
    const unit = new UnitOfWork('shop', () => undefined);
    const besideOthers = (): Promise<boolean> => {
      done.push('beside others');
      return Promise.resolve(isDone);
    };
    unit.add(write('first'), { asks: 'one', besideOthers });
    for (const asks of behind) unit.add(write(asks), { asks });
    expect(await unit.commit(stores.db)).to.equal(undefined);
    return done;
  };

  it('is written beside others where one statement is all, and alone where that was not possible', async () => {
    expect(await run(true)).to.deep.equal(['beside others']);
    expect(await run(true, 'nothing')).to.deep.equal(['beside others']);
    expect(await run(false, 'nothing')).to.deep.equal(['beside others', 'first', 'nothing']);
  });

  it('is one transaction where more is to be written: nothing of it goes ahead', async () => {
    expect(await run(true, 'one')).to.deep.equal(['first', 'one']);
    expect(await run(true, 'nothing', 'one')).to.deep.equal(['first', 'nothing', 'one']);
  });
});
