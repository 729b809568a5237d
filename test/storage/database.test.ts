import { expect } from 'chai';
import { Problem } from '../../src/kernel/problem.ts';
import { Database } from '../../src/storage/database.ts';
import { sql } from '../../src/storage/sql.ts';
import { type Connection, createDatabase, dropDatabase } from '../support/servers.ts';

describe('the connections of a process', () => {
  let database: Connection;
  before(async () => {
    database = await createDatabase();
  });
  after(() => dropDatabase(database));

  it('L10 are waited for by five hundred at most; whoever comes then is told at once, and nobody waits for ever', async () => {
    const db = new Database({
      connection: { ...database, user: 'latchkey_operator' },
      applicationName: 'test',
      poolSize: 1,
      log: () => {},
    });
    try {
      await db.ping();
      const held = db.query(undefined, sql`select pg_sleep(1)`);
      const asked = await Promise.allSettled(Array.from({ length: 600 }, () => db.ping()));
      await held;
      const reasons = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as Problem] : []));
      const turnedAway = reasons.filter(({ cause }) =>
        /waiting for a connection already/.test(String((cause as Error).cause)),
      );
      expect(turnedAway).to.have.length(601 - 500);
      expect(turnedAway[0]).to.be.instanceOf(Problem).and.to.include({ kind: 'unavailable' });
      for (const reason of reasons) expect(reason).to.include({ kind: 'unavailable' });
      await db.ping();
    } finally {
      await db.close();
    }
  });
});
