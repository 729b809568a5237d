import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createApp } from '../../src/apps/create-app.ts';
import { createAppRegistry } from '../../src/apps/registry.ts';
import { updateApp } from '../../src/apps/update-app.ts';
import { sql } from '../../src/storage/sql.ts';
import { appsDeps, nobody, rootKeys } from '../surfaces/admin-api/admin-api-host.ts';
import { testDatabase, type TestDatabase } from '../support/stores.ts';

const MANY = 80;
const ids = Array.from({ length: MANY }, (_, at) => `many-${at}`);
const ALONE = /select revision, .* from apps where app_id/s;
const TOGETHER = /array_agg\(revision\)/;

describe('apps that are asked for together', function () {
  // What is known is good for two seconds; a machine that stalls for as long asks once more.
  this.retries(3);
  let database: TestDatabase;
  let seen: string[] = [];
  let fails: RegExp | undefined;

  before(async () => {
    database = await testDatabase(({ text }) => {
      seen.push(text);
      if (fails?.test(text)) throw new Error('the store is away');
    });
    const made = ids.map((appId) =>
      createApp(appsDeps(database), {
        input: { app_id: appId, name: appId, settings: { signing_algorithm: 'ES256' } },
        by: nobody,
      }),
    );
    await Promise.all(made);
  });
  beforeEach(() => {
    fails = undefined;
  });
  after(() => database.end());

  const registryOfAll = async () => {
    const registry = createAppRegistry({ db: database.db, operatorDb: database.operatorDb, rootKeys });
    const all = () => Promise.all(ids.map((appId) => registry.snapshot(appId)));
    const first = await all();
    expect(first.every(Boolean)).to.equal(true);
    await sleep(2050);
    seen = [];
    return { registry, all, first };
  };
  const count = (statement: RegExp): number => seen.filter((text) => statement.test(text)).length;

  it('are compared with the store in one question, and what changed there is read anew', async () => {
    const { all, first } = await registryOfAll();
    await updateApp(appsDeps(database), { appId: 'many-70', by: nobody, input: { name: 'Renamed' } });
    await database.operatorDb.query(
      undefined,
      sql`update apps set disabled_at = now() where app_id = 'many-71'`,
    );
    try {
      const second = await all();
      expect(count(TOGETHER)).to.equal(1);
      expect(count(ALONE)).to.be.at.most(32);
      expect(second[70]!.app.name).to.equal('Renamed');
      expect(second[71]).to.equal(undefined);
      expect(second[5], 'the same object, not read again').to.equal(first[5]);
      expect(second[79]).to.equal(first[79]);
      seen = [];
      await all();
      expect(count(TOGETHER) + count(ALONE), 'all are fresh').to.equal(0);
    } finally {
      await database.operatorDb.query(
        undefined,
        sql`update apps set disabled_at = null where app_id = 'many-71'`,
      );
    }
  });

  it('are compared one by one where that question fails, and refused where these fail too', async () => {
    const { registry, all, first } = await registryOfAll();
    fails = TOGETHER;
    expect(await all()).to.deep.equal(first);
    expect(count(ALONE)).to.equal(MANY);
    for (const appId of ids) registry.recheck(appId);
    fails = /from apps/;
    seen = [];
    const outcomes = await Promise.allSettled(ids.map((appId) => registry.snapshot(appId)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(0);
    // Who invents clients has apps compared again: one cheap question each, never one about all.
    expect(count(TOGETHER)).to.equal(0);
  });

  it('are compared alone where somebody said that one has to be', async () => {
    const { registry, all } = await registryOfAll();
    registry.recheck('many-75');
    await all();
    expect(count(TOGETHER)).to.equal(1);
    expect(count(ALONE)).to.be.within(33, 34);
  });
});
