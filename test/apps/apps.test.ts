import { expect } from 'chai';
import { createApp } from '../../src/apps/create-app.ts';
import { deleteApp, ERASE_APP } from '../../src/apps/delete-app.ts';
import { eraseApp } from '../../src/apps/erase/erase-app.ts';
import { createAppRegistry } from '../../src/apps/registry.ts';
import { reservedNames } from '../../src/apps/reserved-names.ts';
import { seedBuiltInApps } from '../../src/apps/seed.ts';
import { updateApp } from '../../src/apps/update-app.ts';
import { digestOf } from '../../src/kernel/secret.ts';
import type { Problem } from '../../src/kernel/problem.ts';
import { scoped } from '../../src/storage/database.ts';
import { insertUser, listUsers } from '../../src/users/store.ts';
import { appsDeps, nobody, rootKeys } from '../surfaces/admin-api/admin-api-host.ts';
import { testDatabase, type TestDatabase } from '../support/stores.ts';

const codeOf = (error: Problem): string => error.code;

describe('apps', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
  });
  after(() => database.end());
  const registry = () => createAppRegistry({ db: database.db, operatorDb: database.operatorDb, rootKeys });
  const create = (appId: string, more: object = {}) =>
    createApp(appsDeps(database), { input: { app_id: appId, name: appId, ...more }, by: nobody });

  it('are served with a first client, a secret kept as a digest, a key that opens, and a way to the client', async () => {
    const { secret } = await create('wolf-banana', { redirect_uris: ['https://wolf.example/cb'] });
    const snapshot = await registry().snapshot('wolf-banana');
    const client = snapshot!.clients.get('wolf-banana')!;
    expect(client.secrets.map((one) => one.digest)).to.deep.equal([digestOf(secret!)]);
    expect(snapshot!.keys).to.have.length(1);
    expect(snapshot!.keys[0]).to.deep.include({ algorithm: 'RS256' });
    expect(await snapshot!.keys[0]!.signer!.sign(Buffer.from('data'))).to.have.length(256);
    expect(snapshot!.keys[0]!.publicJwk).to.not.have.any.keys('d', 'p', 'q');
    expect(await registry().appOfClient('wolf-banana')).to.equal('wolf-banana');
  });

  it('with a dash and with an underscore are two', async () => {
    await create('wolf_banana');
    expect((await registry().snapshot('wolf_banana'))!.app.appId).to.equal('wolf_banana');
  });

  it('do not get a name that is reserved, however it is written', async () => {
    for (const name of [
      'authorize',
      'console',
      'demo',
      'device-authorization',
      'device_authorization',
      'well_known',
    ]) {
      expect(await create(name).catch(codeOf), name).to.equal('apps.name_reserved');
    }
    expect([...reservedNames].every((name) => name === name.toLowerCase() && !name.includes('_'))).to.equal(
      true,
    );
  });

  it('asked for sixteen times at once come to be once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => create('raced')));
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).to.have.length(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason.code).to.equal('apps.name_taken');
    expect((await registry().snapshot('raced'))!.keys).to.have.length(1);
  });

  it('keep the settings they never chose open for better defaults, and bump their revision', async () => {
    await create('settled', { settings: { code_ttl: 30 } });
    const deps = appsDeps(database);
    const { app } = await updateApp(deps, {
      appId: 'settled',
      by: nobody,
      input: { settings: { methods: { password: false } } },
    });
    expect(app.settings.code_ttl).to.equal(30);
    expect(app.settings.methods).to.include({ password: false, magic_link: true, passkey: true });
    expect(app.revision).to.equal(1);
    expect((await registry().snapshot('settled'))!.app.revision).to.equal(2);
    expect(deps.forgotten).to.deep.equal(['settled']);
    const [row] = await database.operatorDb.query(undefined, {
      name: '',
      text: `select settings from apps where app_id = 'settled'`,
      values: [],
    });
    expect(row!['settings']).to.deep.equal({ code_ttl: 30, methods: { password: false } });
    const refusal = await updateApp(deps, {
      appId: 'settled',
      by: nobody,
      input: { settings: { methods: { magic_link: false, passkey: false } } },
    }).catch((error: Problem) => error);
    expect(refusal).to.include({ code: 'apps.settings_invalid', field: 'settings.methods' });
  });

  it('end at once when they are deleted, are erased by a job, and their name stays taken', async () => {
    await create('doomed');
    await insertUser(scoped(database.db, 'doomed'), {
      appId: 'doomed',
      email: 'ada@example.com',
      emailVerified: true,
    });
    const deps = appsDeps(database);
    expect(
      await deleteApp(deps, { appId: 'doomed', confirm: 'wolf-banana', by: nobody }).catch(codeOf),
    ).to.equal('apps.confirmation_missing');
    await eraseApp(database.operatorDb, 'doomed');
    expect(
      await listUsers(scoped(database.db, 'doomed'), 'doomed', { limit: 5 }),
      'a living app is not erased',
    ).to.have.length(1);
    await deleteApp(deps, { appId: 'doomed', confirm: 'doomed', by: nobody });
    expect(await registry().snapshot('doomed')).to.equal(undefined);
    expect(deps.jobs).to.deep.equal([{ appId: 'doomed', kind: ERASE_APP, payload: {} }]);
    for (let i = 0; i < 2; i++) await eraseApp(database.operatorDb, 'doomed');
    expect(await listUsers(scoped(database.db, 'doomed'), 'doomed', { limit: 5 })).to.have.length(0);
    expect(await create('doomed').catch(codeOf)).to.equal('apps.name_taken');
  });

  it('that are built in come to be once, by several processes at once, and follow BASE_URL and the playground secret', async () => {
    const seed = (baseUrl: string, clientSecret: string) =>
      seedBuiltInApps(appsDeps(database), { baseUrl, demo: { clientSecret } });
    await Promise.all([
      seed('http://localhost:3000', 'one'),
      seed('http://localhost:3000', 'one'),
      seed('http://localhost:3000', 'one'),
    ]);
    await seed('http://localhost:4000', 'two');
    const demo = await registry().snapshot('demo');
    const client = demo!.clients.get('demo')!;
    expect(demo!.app.builtIn).to.equal(true);
    expect(client.redirectUris).to.deep.equal(['http://localhost:4000/dev/playground/callback']);
    expect(client.secrets.map((secret) => secret.digest)).to.deep.equal([digestOf('two')]);
    expect((await registry().deploymentKeys()).published).to.have.length(1);
    const before = demo!.app.revision;
    await seed('http://localhost:4000', 'two');
    expect((await registry().snapshot('demo'))!.app.revision).to.equal(before);
    expect(
      await deleteApp(appsDeps(database), { appId: 'console', confirm: 'console', by: nobody }).catch(codeOf),
    ).to.equal('apps.built_in');
  });
});
