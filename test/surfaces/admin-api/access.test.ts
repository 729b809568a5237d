import { expect } from 'chai';
import { newId } from '../../../src/kernel/id.ts';
import { scoped } from '../../../src/storage/database.ts';
import { saveGrant } from '../../../src/users/grants/store.ts';
import { insertSession } from '../../../src/users/sessions/store.ts';
import { type AdminHost, startAdminHost } from './admin-api-host.ts';

type Listed = { session_id: string; grant_id: string };

describe('Admin API: sessions and grants of a user', () => {
  let host: AdminHost;
  let counter = 0;
  before(async () => {
    host = await startAdminHost();
    await host.call('post', '/apps').send({ app_id: 'shop', name: 'Shop' }).expect(201);
  });
  after(() => host.end());

  /** A user with two sessions; each has a grant bound to it, and a third grant is bound to none. */
  async function signedInUser() {
    const { body } = await host
      .call('post', '/apps/shop/users')
      .send({ email: `user${++counter}@example.com` })
      .expect(201);
    const userId: string = body.user_id;
    const q = scoped(host.deps.db, 'shop');
    const sessions = [1, 2].map((n) => ({ uid: `uid-${counter}-${n}`, sessionId: newId('ses') }));
    for (const session of sessions) {
      await insertSession(q, {
        appId: 'shop',
        ...session,
        digest: `digest-${session.uid}`,
        userId,
        payload: { amr: ['pwd'] },
        idleSeconds: 600,
        absoluteSeconds: 6000,
        userAgent: 'Firefox',
        address: '192.0.2.7',
      });
    }
    const payload = {
      openid: { scope: 'openid email' },
      resources: { 'https://api.example': 'orders:read' },
    };
    const grants = [sessions[0]!.uid, sessions[1]!.uid, undefined].map((sessionUid, i) => ({
      grantId: `grant-${counter}-${i}`,
      sessionUid,
    }));
    for (const grant of grants)
      await saveGrant(q, { appId: 'shop', ...grant, userId, clientId: 'shop', payload, ttlSeconds: 6000 });
    return {
      userId,
      path: `/apps/shop/users/${userId}`,
      sessionIds: sessions.map((session) => session.sessionId),
      grantIds: grants.map((grant) => grant.grantId),
    };
  }
  const sessionsOf = async (path: string): Promise<string[]> =>
    (await host.call('get', `${path}/sessions`).expect(200)).body.items.map(
      (item: Listed) => item.session_id,
    );
  const grantsOf = async (path: string): Promise<string[]> =>
    (await host.call('get', `${path}/grants`).expect(200)).body.items.map((item: Listed) => item.grant_id);

  it('lists them field by field, page by page, without anything that could be used', async () => {
    const { path, sessionIds } = await signedInUser();
    const { body: page } = await host.call('get', `${path}/sessions?limit=1`).expect(200);
    expect(page.items[0]).to.deep.include({
      session_id: sessionIds[1],
      user_agent: 'Firefox',
      address: '192.0.2.7',
      amr: ['pwd'],
    });
    const { body: rest } = await host.call('get', `${path}/sessions?limit=1&after=${page.next}`).expect(200);
    expect([rest.items[0].session_id, rest.next]).to.deep.equal([sessionIds[0], null]);
    const { body: grants } = await host.call('get', `${path}/grants`).expect(200);
    expect(grants.items[0]).to.deep.include({
      client_id: 'shop',
      client_name: 'Shop',
      scopes: ['openid', 'email', 'orders:read'],
    });
    expect(JSON.stringify([page, rest, grants])).to.not.match(/digest|uid-/);
  });

  it('ends one session with what is bound to it, and leaves the other', async () => {
    const { path, sessionIds, grantIds } = await signedInUser();
    await host.call('delete', `${path}/sessions/${sessionIds[0]}`).expect(204);
    expect(await sessionsOf(path)).to.deep.equal([sessionIds[1]]);
    expect(await grantsOf(path)).to.deep.equal([grantIds[1], grantIds[2]]);
    await host.call('delete', `${path}/sessions/${sessionIds[0]}`).expect(404);
  });

  it('does not end a session or a grant through another user', async () => {
    const victim = await signedInUser();
    const other = await signedInUser();
    await host.call('delete', `${other.path}/sessions/${victim.sessionIds[0]}`).expect(404);
    await host.call('delete', `${other.path}/grants/${victim.grantIds[0]}`).expect(404);
    expect([(await sessionsOf(victim.path)).length, (await grantsOf(victim.path)).length]).to.deep.equal([
      2, 3,
    ]);
  });

  it('revokes one grant', async () => {
    const { path, grantIds } = await signedInUser();
    await host.call('delete', `${path}/grants/${grantIds[2]}`).expect(204);
    expect(await grantsOf(path)).to.deep.equal([grantIds[0], grantIds[1]]);
  });

  const endings: [string, (path: string) => Promise<unknown>][] = [
    ['ending all sessions', (path) => host.call('delete', `${path}/sessions`).expect(204).then()],
    ['disabling the user', (path) => host.call('patch', path).send({ disabled: true }).expect(200).then()],
    [
      'a new password',
      (path) => host.call('patch', path).send({ password: 'a long enough password' }).expect(200).then(),
    ],
    [
      'a new address',
      (path) =>
        host
          .call('patch', path)
          .send({ email: `moved${++counter}@example.com` })
          .expect(200)
          .then(),
    ],
  ];
  for (const [what, act] of endings) {
    it(`${what} ends every session and grant`, async () => {
      const { path } = await signedInUser();
      await act(path);
      expect([await sessionsOf(path), await grantsOf(path)]).to.deep.equal([[], []]);
    });
  }

  it('a change of anything else ends nothing, and enabling brings nothing back', async () => {
    const { path } = await signedInUser();
    await host
      .call('patch', path)
      .send({ profile: { name: 'Ada' }, disabled: false })
      .expect(200);
    expect(await sessionsOf(path)).to.have.length(2);
    await host.call('patch', path).send({ disabled: true }).expect(200);
    await host.call('patch', path).send({ disabled: false }).expect(200);
    expect(await sessionsOf(path)).to.have.length(0);
  });
});
