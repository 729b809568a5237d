import { expect } from 'chai';
import type { Driver } from '../support/app.ts';
import { accountFlows } from './account-flows.ts';
import { fail, type Flow, kindsOn, sampleOn, measure, momentOf, type Stage, startStage } from './harness.ts';
import { signInFlows } from './sign-in-flows.ts';

const flows = [...signInFlows, ...accountFlows];

/** Each flow with each kind of fault: at every moment, or at one. */
export function testFlows(driver: Driver, how: 'all' | 'sample'): void {
  describe(`when something fails in the middle, on ${driver}`, function () {
    this.timeout(how === 'all' ? 600_000 : 60_000);
    let stage: Stage;
    before(async () => {
      stage = await startStage(driver);
    });
    after(() => stage.stop());

    for (const [i, flow] of flows.entries())
      it(`${flow.name} is done as a whole or not at all, and the next try does it, once`, () =>
        testFlow(stage, flow, { driver, how, place: i }));
  });
}

type At = { driver: Driver; how: 'all' | 'sample'; place: number };

async function testFlow(stage: Stage, flow: Flow, { driver, how, place }: At): Promise<void> {
  const counts = await measure(stage, flow);
  expect(counts.statement).to.be.within(3, 80);
  for (const [j, kind] of (how === 'all' ? kindsOn : sampleOn)[driver].entries()) {
    const most = counts[momentOf(kind)];
    // In the sample each flow and kind has a place of its own, so that they meet different moments.
    const first = how === 'all' ? 1 : 1 + ((place * 5 + j * 7 + (driver === 'redis' ? 3 : 0)) % most);
    for (let n = first; n <= (how === 'all' ? most : first); n += 1)
      await fail(stage, flow, { kind, n }).catch((error: Error) => {
        error.message = `${kind}, ${n} of ${most}: ${error.message}`;
        throw error;
      });
  }
}
