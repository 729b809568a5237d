import { expect } from 'chai';
import { audit } from '../../src/events/audit.ts';
import { listEvents } from '../../src/events/store.ts';
import { scoped } from '../../src/storage/database.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';

describe('the audit trail', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, 'wolf');
    await insertBareApp(database, 'meadow');
  });
  after(() => database.end());

  const event = (type: string) => ({
    appId: 'wolf',
    type,
    actor: { type: 'system' as const },
    result: 'success' as const,
  });

  it('holds what happened if the transaction commits, and nothing otherwise', async () => {
    await database.db.transaction('wolf', (tx) =>
      audit(tx, { ...event('a.kept'), userId: 'usr_1', address: '203.0.113.9', details: { count: 1 } }),
    );
    await database.db
      .transaction('wolf', async (tx) => {
        await audit(tx, event('a.lost'));
        throw new Error('no');
      })
      .catch(() => {});
    const rows = await listEvents(scoped(database.db, 'wolf'), {
      appId: 'wolf',
      after: undefined,
      limit: 10,
    });
    expect(rows.map((row) => row.type)).to.deep.equal(['a.kept']);
    expect(rows[0]).to.deep.include({
      user_id: 'usr_1',
      address: '203.0.113.9',
      details: { count: 1 },
      result: 'success',
      actor_type: 'system',
    });
  });

  it('is listed newest first, page by page, one app at a time', async () => {
    for (const type of ['b.1', 'b.2', 'b.3']) {
      await database.db.transaction('wolf', (tx) => audit(tx, event(type)));
      // Ids are ordered by the millisecond.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const wolf = scoped(database.db, 'wolf');
    const first = await listEvents(wolf, { appId: 'wolf', after: undefined, limit: 2 });
    const second = await listEvents(wolf, { appId: 'wolf', after: first[1]!.event_id, limit: 1 });
    expect([...first, ...second].map((row) => row.type)).to.deep.equal(['b.3', 'b.2', 'b.1']);
    expect(
      await listEvents(scoped(database.db, 'meadow'), { appId: 'wolf', after: undefined, limit: 10 }),
    ).to.deep.equal([]);
  });

  it('can be neither changed nor shortened', async () => {
    for (const text of ["update audit_events set result = 'failure'", 'delete from audit_events']) {
      const refusal = await database.operatorDb
        .query(undefined, { name: '', text, values: [] })
        .catch((error: unknown) => error);
      expect((refusal as Error).message).to.include('permission denied');
    }
  });
});
