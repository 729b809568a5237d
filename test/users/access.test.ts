import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { newId } from '../../src/kernel/id.ts';
import { type ArtifactCache, type Grave, noArtifactCache } from '../../src/storage/artifact-cache.ts';
import { createAccess } from '../../src/users/access.ts';
import { endSessionByUid, insertSession } from '../../src/users/sessions/store.ts';
import { insertUser } from '../../src/users/store.ts';
import { insertBareApp, testDatabase, type TestDatabase } from '../support/stores.ts';

describe('ending what a user holds', () => {
  let database: TestDatabase;
  let buried: Grave[];
  // Only records: what is tested is what the cache is told, not the cache.
  const cache: ArtifactCache = {
    ...noArtifactCache,
    isInUse: true,
    bury: (_appId, graves) => {
      buried.push(...graves);
      return Promise.resolve();
    },
  };
  const uid = 'session-uid';
  let userId: string;

  before(async () => {
    database = await testDatabase();
    await insertBareApp(database, 'shop');
    await database.db.transaction('shop', async (tx) => {
      const user = await insertUser(tx, {
        appId: 'shop',
        email: 'ada@example.com',
        emailVerified: true,
        profile: {},
        metadata: {},
      });
      userId = user.userId;
      const session = {
        appId: 'shop',
        uid,
        sessionId: newId('ses'),
        digest: 'digest',
        userId,
        payload: {},
        idleSeconds: 60,
        absoluteSeconds: 60,
      };
      expect(await insertSession(tx, { ...session, userAgent: undefined, address: undefined })).to.equal(
        true,
      );
    });
  });
  after(() => database.end());
  beforeEach(() => {
    buried = [];
  });

  const endAll = () =>
    database.db.transaction('shop', (tx) =>
      createAccess({
        db: database.db,
        cache,
        jobs: { rootKeys: [randomBytes(32)], wake: () => {} },
      }).endUserAccess(tx, { appId: 'shop', userId, why: 'test' }),
    );

  it('buries again what an earlier try ended, as if that had died between its commit and the cache', async () => {
    await database.db.transaction('shop', (tx) => endSessionByUid(tx, 'shop', uid));
    const ended = await endAll();
    expect(ended.sessions).to.deep.equal([]);
    expect(buried).to.have.deep.members([
      { kind: 'user', id: userId },
      { kind: 'session', id: 'digest' },
      { kind: 'session_uid', id: uid },
    ]);
  });

  it('buries what is ended just now once', async () => {
    await database.operatorDb.query(undefined, {
      name: '',
      text: 'update sessions set ended_at = null',
      values: [],
    });
    expect((await endAll()).sessions).to.have.length(1);
    expect(buried.map(({ kind }) => kind)).to.have.members(['user', 'session', 'session_uid']);
  });
});
