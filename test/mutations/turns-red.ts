import { expect } from 'chai';
import type { Report } from '../../src/surfaces/cli/isolation/verify.ts';
import { runMutated } from './mutant.ts';
import { mutations } from './mutations.ts';

const fatal = mutations.filter(({ survives }) => !survives);

describe('the isolation matrix turns red', function () {
  this.timeout(600_000);
  let seen = 0;
  after(() => console.log(`      ${seen} of ${fatal.length} mutations turn it red`));

  for (const mutation of fatal)
    it(`when ${mutation.name}`, async () => {
      const { leaks, attempts } = await runMutated(mutation);
      expect(attempts, 'no route of the matrix is run').to.be.greaterThan(0);
      expect(leaks, `nothing was seen in ${attempts} attempts`).not.to.deep.equal([]);
      const [{ route, credential, how, why }] = leaks as [Report['leaks'][number]];
      console.log(`      ${leaks.length} of ${attempts}: ${route}: ${credential} ${how}: ${why}`);
      // A mutant that only breaks down is no proof that a crossing is seen.
      expect(why).not.to.match(/^failed with|proves nothing/);
      seen += 1;
    });
});

describe('the isolation matrix stays green', function () {
  this.timeout(600_000);
  const everywhere = new RegExp(fatal.map(({ routes }) => routes.source).join('|'));
  const untouched = { name: 'nothing is taken out', edits: [], routes: everywhere, survives: true };

  for (const mutation of [untouched, ...mutations.filter(({ survives }) => survives)])
    it(`when ${mutation.name}`, async () => {
      const report = await runMutated(mutation);
      expect(report.leaks).to.deep.equal([]);
      expect(report.controls.filter(({ works }) => !works)).to.deep.equal([]);
      expect(report.attempts).to.be.greaterThan(0);
    });
});
