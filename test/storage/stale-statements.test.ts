import { expect } from 'chai';
import { Problem } from '../../src/kernel/problem.ts';
import { Database } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

describe('a connection', () => {
  it('is replaced where a table has got other columns than a statement was prepared for', async () => {
    const database = await createDatabase();
    const at = {
      connection: { ...database, user: 'postgres' },
      applicationName: 'test',
      poolSize: 1,
      log: () => {},
    };
    const db = new Database(at);
    const other = new Database({ ...at, applicationName: 'other' });
    const all = { name: 'all', text: 'select * from pending_graves', values: [] };
    try {
      await db.query(undefined, all);
      await other.query(undefined, sql`alter table pending_graves add column more text`);
      const refusal = await db.query(undefined, all).catch((error: unknown) => error);
      expect(refusal).to.be.instanceOf(Problem).and.to.include({ kind: 'unavailable' });
      expect(await db.query(undefined, all)).to.deep.equal([]);
    } finally {
      await Promise.all([db.close(), other.close()]);
      await dropDatabase(database);
    }
  });
});
