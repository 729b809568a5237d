import { expect } from 'chai';
import { isSound, type Report } from '../../src/surfaces/cli/isolation/verify.ts';
import { drivers, type TestLatchkey } from '../support/app.ts';
import { inLines, runMatrix, startForMatrix } from './matrix.ts';

for (const driver of drivers) {
  describe(`the isolation matrix, on ${driver}`, function () {
    this.timeout(600_000);
    let latchkey: TestLatchkey;
    let report: Report;

    before(async () => {
      latchkey = await startForMatrix(driver);
      report = await runMatrix(latchkey);
    });
    after(() => latchkey?.stop());

    it('#17 tries every credential of one app at every route of another, and none crosses', () => {
      console.log(
        `      ${report.attempts} attempts at ${report.routes.length} routes in ${report.duration_ms} ms`,
      );
      expect(inLines(report).join('\n')).to.equal('');
      expect(report.attempts).to.be.greaterThan(500);
    });

    it('covers every route that the program answers', () => {
      expect(report.uncovered_routes).to.deep.equal([]);
      expect(report.routes.length + report.exempt_routes.length).to.equal(latchkey.latchkey.routes.length);
      expect(report.skipped).to.deep.equal([]);
    });

    it('tried credentials that were good all the while: each works at its own app afterwards', () => {
      expect(report.controls.filter(({ works }) => !works)).to.deep.equal([]);
      expect(report.controls).to.have.length.greaterThan(30);
    });

    it('leaves no app behind', async () => {
      const { items } = (await latchkey.admin('GET', '/apps')).body;
      expect(
        items
          .map((app: { app_id: string }) => app.app_id)
          .filter((id: string) => id.startsWith('isolation-')),
      ).to.deep.equal([]);
    });
  });
}

describe('the verdict on isolation', () => {
  const sound = { attempts: 1, leaks: [], uncovered_routes: [], controls: [] } as unknown as Report;

  it('is good only with attempts, and without a leak, an uncovered route or a dead control', () => {
    expect(isSound(sound)).to.equal(true);
    expect(isSound({ ...sound, attempts: 0 })).to.equal(false);
    expect(isSound({ ...sound, uncovered_routes: ['GET /new'] })).to.equal(false);
    expect(isSound({ ...sound, leaks: [{}] as never })).to.equal(false);
    expect(isSound({ ...sound, controls: [{ app: 'a', what: 'code', works: false }] })).to.equal(false);
  });
});
