import { expect } from 'chai';
import type { KeyPolicy } from '../../src/apps/change-app.ts';
import { createApp } from '../../src/apps/create-app.ts';
import { keepKeys } from '../../src/apps/keys/chores.ts';
import { deploymentShelf } from '../../src/apps/keys/deployment/operator-store.ts';
import { ensureDeploymentKey, rotateDeploymentKeys } from '../../src/apps/keys/deployment/rotate.ts';
import { localVault } from '../../src/apps/keys/local-vault.ts';
import { appShelf } from '../../src/apps/keys/operator-store.ts';
import { rotateKeys } from '../../src/apps/keys/rotate.ts';
import { MAX_TOKEN_TTL } from '../../src/apps/keys/signing-key.ts';
import { everyApp } from '../../src/apps/operator-store.ts';
import { presentKeys } from '../../src/apps/present.ts';
import { createAppRegistry } from '../../src/apps/registry.ts';
import { updateApp } from '../../src/apps/update-app.ts';
import type { Problem } from '../../src/kernel/problem.ts';
import { appsDeps, nobody, rootKeys } from '../surfaces/admin-api/admin-api-host.ts';
import { testDatabase, type TestDatabase } from '../support/stores.ts';
import { atOnce } from '../support/token-calls.ts';

const DAY = 86_400_000;

describe('signing keys', () => {
  let database: TestDatabase;
  const keys: KeyPolicy = { vault: localVault, leadSeconds: 605 };
  const deps = () => ({ ...appsDeps(database), keys });
  const q = () => everyApp(database.operatorDb);
  const statement = (text: string, ...values: unknown[]) =>
    database.operatorDb.query<Record<string, unknown>>(undefined, { name: '', text, values });
  const registry = () => createAppRegistry({ db: database.db, operatorDb: database.operatorDb, rootKeys });
  const listed = async (appId: string) => presentKeys(await appShelf(appId).list(q()));
  const statuses = async (appId: string) => (await listed(appId)).map((key) => key.status);
  const create = (appId: string, settings: object = {}) =>
    createApp(deps(), {
      input: { app_id: appId, name: appId, settings: { signing_algorithm: 'ES256', ...settings } },
      by: nobody,
    });
  const rotate = (appId: string, more: object = {}) => rotateKeys(deps(), { appId, by: nobody, ...more });
  /** As if so much time had gone by for the keys of an app. */
  const later = (appId: string, interval: string) =>
    statement(
      `update signing_keys set created_at = created_at - $2::interval, active_at = active_at - $2::interval,
         retires_at = retires_at - $2::interval, retired_at = retired_at - $2::interval where app_id = $1`,
      appId,
      interval,
    );
  const signingKid = async (appId: string) => {
    const one = registry();
    return one.ringOf((await one.snapshot(appId))!).published[0]!.keyId;
  };

  beforeEach(async () => {
    database = await testDatabase();
    await statement("insert into apps (app_id, name) values ('console', 'console')");
  });
  afterEach(() => database.end());

  it('are published before they sign, and stay until everything they signed has expired', async () => {
    await create('shop');
    const [first] = await listed('shop');
    const next = await rotate('shop');
    expect(await statuses('shop')).to.deep.equal(['next', 'signing']);
    expect(await signingKid('shop')).to.equal(first!.kid);
    expect(next.active_at.getTime() - next.created_at.getTime()).to.be.closeTo(605_000, 5000);
    await later('shop', '606 seconds');
    expect(await statuses('shop')).to.deep.equal(['signing', 'verifying']);
    expect(await signingKid('shop')).to.equal(next.key_id);
    const old = (await listed('shop'))[1]!;
    const [row] = await appShelf('shop').list(q());
    expect(Date.parse(old.retires_at!) - row!.active_at.getTime()).to.be.greaterThan(MAX_TOKEN_TTL * 1000);
    await later('shop', '23 hours');
    expect(await statuses('shop')).to.deep.equal(['signing', 'verifying']);
    await later('shop', '2 hours');
    expect(await statuses('shop')).to.deep.equal(['signing', 'retired']);
    const snapshot = await registry().snapshot('shop');
    const { published, remembered } = registry().ringOf(snapshot!);
    expect(published.map((key) => key.keyId)).to.deep.equal([next.key_id]);
    expect(
      remembered.map((key) => key.keyId),
      'for hints',
    ).to.deep.equal([first!.kid]);
  });

  it('turn once however often they are told to, all at once', async () => {
    await create('shop');
    await ensureDeploymentKey(deps());
    const kids = await atOnce(16, async () => (await rotate('shop')).key_id);
    expect(new Set(kids).size).to.equal(1);
    expect(await statuses('shop')).to.deep.equal(['next', 'signing']);
    const shared = await atOnce(
      16,
      async () => (await rotateDeploymentKeys(deps(), { by: nobody, algorithm: 'ES256' })).key_id,
    );
    expect(new Set(shared).size).to.equal(1);
    expect(await deploymentShelf.list(q())).to.have.length(2);
    const trail = await statement("select 1 from audit_events where type like '%key.rotated'");
    expect(trail, 'one line for the app, one for the deployment').to.have.length(2);
    expect(await signingKid('shop'), 'the one that signs still opens').to.be.a('string');
  });

  it('that are compromised go at once, private half and all, and one new key signs, told sixteen times', async () => {
    await create('shop');
    const [first] = await listed('shop');
    const kids = await atOnce(16, async () => (await rotate('shop', { compromised: first!.kid })).key_id);
    expect(new Set(kids).size).to.equal(1);
    expect(await statuses('shop')).to.deep.equal(['signing', 'compromised']);
    expect(await signingKid('shop')).to.equal(kids[0]);
    const { published, remembered } = registry().ringOf((await registry().snapshot('shop'))!);
    expect([...published, ...remembered].map((key) => key.keyId)).to.deep.equal([kids[0]]);
    const [row] = await statement('select private_jwk from signing_keys where key_id = $1', first!.kid);
    expect(row!['private_jwk']).to.equal(null);
  });

  it('that are compromised before they signed are replaced, and the old one stays as long as that needs', async () => {
    await create('shop');
    const next = await rotate('shop');
    await later('shop', '500 seconds');
    const replacement = await rotate('shop', { compromised: next.key_id });
    expect(replacement.key_id).to.not.equal(next.key_id);
    expect(await statuses('shop')).to.deep.equal(['next', 'signing', 'compromised']);
    const old = (await listed('shop'))[1]!;
    expect(Date.parse(old.retires_at!) - replacement.active_at.getTime()).to.be.greaterThan(DAY);
    await later('shop', '2 days');
    expect(await signingKid('shop')).to.equal(replacement.key_id);
    const [third] = [await rotate('shop')];
    const before = await listed('shop');
    await rotate('shop', { compromised: before.find((key) => key.status === 'retired')!.kid });
    expect((await rotate('shop')).key_id, 'an old key says nothing about the next').to.equal(third!.key_id);
  });

  it('of another app, or of nobody, can not be named', async () => {
    await create('shop');
    await create('other');
    const [foreign] = await listed('other');
    const code = (error: Problem) => error.code;
    expect(await rotate('shop', { compromised: foreign!.kid }).catch(code)).to.equal('keys.not_found');
    expect(await rotate('nobody').catch(code)).to.equal('apps.not_found');
    expect(await statuses('other')).to.deep.equal(['signing']);
  });

  it('follow the signing_algorithm of the app, which also rotation can set', async () => {
    await create('shop');
    const algorithms = async () => (await listed('shop')).map((key) => `${key.algorithm} ${key.status}`);
    expect(await algorithms()).to.deep.equal(['ES256 signing']);
    const set = (signing_algorithm: string) =>
      updateApp(deps(), { appId: 'shop', by: nobody, input: { settings: { signing_algorithm } } });
    await set('ES256');
    expect(await algorithms(), 'nothing new').to.deep.equal(['ES256 signing']);
    await set('EdDSA');
    expect(await algorithms()).to.deep.equal(['EdDSA next', 'ES256 signing']);
    await set('PS256');
    expect(await algorithms(), 'never two next ones').to.deep.equal(['PS256 next', 'ES256 signing']);
    await rotate('shop', { algorithm: 'RS256' });
    expect(await algorithms()).to.deep.equal(['RS256 next', 'ES256 signing']);
    const [app] = await statement("select settings from apps where app_id = 'shop'");
    expect(app!['settings']).to.include({ signing_algorithm: 'RS256' });
  });

  it('are rotated on schedule by one process of many, by each app’s own period, or never', async () => {
    await create('usual');
    await create('monthly', { key_rotation_days: 30 });
    await create('never', { key_rotation_days: null });
    await ensureDeploymentKey(deps());
    const everyone = () => atOnce(16, () => keepKeys(deps(), { sharedRotationDays: 90 }));
    await everyone();
    for (const appId of ['usual', 'monthly', 'never']) await later(appId, '31 days');
    await everyone();
    expect(await statuses('usual')).to.deep.equal(['signing']);
    expect(await statuses('monthly')).to.deep.equal(['next', 'signing']);
    for (const appId of ['usual', 'never']) await later(appId, '60 days');
    await statement("update deployment_keys set active_at = active_at - interval '91 days'");
    const done = await everyone();
    expect(done.some(Boolean)).to.equal(true);
    expect(await statuses('usual')).to.deep.equal(['next', 'signing']);
    expect(await statuses('never')).to.deep.equal(['signing']);
    expect(await deploymentShelf.list(q())).to.have.length(2);
    await keepKeys(deps(), { sharedRotationDays: 90 });
    expect(await statuses('usual'), 'again').to.deep.equal(['next', 'signing']);
  });

  it('lose their private half once they sign no more, and are forgotten when nobody can ask for them', async () => {
    await create('shop', { key_rotation_days: null });
    await rotate('shop');
    const keep = () => keepKeys(deps(), { sharedRotationDays: 0 });
    const halves = async () =>
      (
        await statement('select private_jwk is not null as there from signing_keys order by active_at desc')
      ).map((row) => row['there']);
    await keep();
    await later('shop', '610 seconds');
    await keep();
    expect(await halves(), 'a slow request may still sign with the old one').to.deep.equal([true, true]);
    await later('shop', '11 minutes');
    await keep();
    expect(await halves()).to.deep.equal([true, false]);
    expect(await statuses('shop'), 'still verifies').to.deep.equal(['signing', 'verifying']);
    expect(await signingKid('shop')).to.be.a('string');
    await later('shop', '399 days');
    await keep();
    expect(await statuses('shop')).to.deep.equal(['signing', 'retired']);
    await later('shop', '3 days');
    await keep();
    expect(await statuses('shop')).to.deep.equal(['signing']);
  });

  it('take turns by the clock of the store, whatever the clock of the process says', async () => {
    await create('shop');
    const first = await signingKid('shop');
    const next = await rotate('shop');
    const real = Date.now;
    try {
      for (const minutes of [-60, 60]) {
        Date.now = () => real() + minutes * 60_000;
        const one = registry();
        const signing = async () => one.ringOf((await one.snapshot('shop'))!).published;
        expect((await signing()).map((key) => key.keyId)).to.deep.equal([first, next.key_id]);
        // Set while it runs, one way and the other.
        Date.now = () => real() - minutes * 60_000;
        await one.snapshot('shop');
        one.forget('shop');
        expect((await signing())[0]!.keyId, `${minutes} minutes`).to.equal(first);
      }
    } finally {
      Date.now = real;
    }
  });
});
