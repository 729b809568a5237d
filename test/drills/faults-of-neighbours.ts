import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { startLogoutReceiver, type LogoutReceiver } from '../support/logout-receiver.ts';
import type { Drill, Stage } from './drill.ts';
import { figuresOf } from './history.ts';
import { inTime } from './patience.ts';

/** Sends of mails, with the time they took. */
const mailRequests = ({ before, since }: Stage, from: number) => {
  const asks = (what: string): boolean => what.startsWith('POST') && what.endsWith('/magic-link');
  return {
    calm: before().filter(({ what }) => asks(what)),
    during: since(from).filter(({ what, took }) => asks(what) && Number.isFinite(took)),
  };
};

/** One that keeps what it fetched for as long as it was told, and does not ask again for a key it does not know. */
function cautiousVerifier(baseUrl: string) {
  const cached = new Map<string, { keys: ReturnType<typeof createLocalJWKSet>; until: number }>();
  const keysOf = async (issuer: string) => {
    const known = cached.get(issuer);
    if (known && known.until > performance.now()) return known.keys;
    const answer = await fetch(`${issuer}/.well-known/jwks.json`);
    const maxAge = Number(/max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '')?.[1] ?? 0);
    const keys = createLocalJWKSet((await answer.json()) as JSONWebKeySet);
    cached.set(issuer, { keys, until: performance.now() + maxAge * 1000 });
    return keys;
  };
  const seen = new Set<string>();
  let verified = 0;
  const failures: string[] = [];
  return {
    seen,
    failures,
    get verified() {
      return verified;
    },
    async verify(token: string, issuer: string): Promise<void> {
      try {
        const { protectedHeader } = await jwtVerify(token, await keysOf(issuer || baseUrl), { issuer });
        seen.add(`${issuer} ${protectedHeader.kid}`);
        verified += 1;
      } catch (error) {
        failures.push(String(error));
      }
    },
  };
}

let receiver: LogoutReceiver | undefined;

export const neighbourDrills: readonly Drill[] = [
  {
    number: 13,
    name: 'Signing keys are rotated',
    does: 'the keys of the app and of the shared issuer, while verifiers keep what they fetched as long as they may',
    isSmooth: true,
    world: { env: { JWKS_MAX_AGE: '2' } },
    async fault(stage) {
      const { scene, sender, must, note, faultMs } = stage;
      const verifier = cautiousVerifier(scene.baseUrl);
      // Every verifier has fetched before.
      await verifier.verify('', `${scene.baseUrl}/auth/shop`);
      verifier.failures.length = 0;
      scene.onToken = (token, issuer) => void verifier.verify(token, issuer);
      await sleep(2000);
      for (const path of [`/apps/${scene.shop.appId}/keys/rotate`, '/keys/rotate']) {
        const { status, body } = await sender.admin('POST', path, {});
        must(status === 201, `a rotation was answered ${status} ${JSON.stringify(body)}`);
      }
      const keysOf = (issuer: string): number =>
        [...verifier.seen].filter((one) => one.startsWith(`${issuer} `)).length;
      const both = [`${scene.baseUrl}/auth/shop`, scene.baseUrl];
      // A new key signs when it was published for twice the time that verifiers may keep what they have, and 5 s.
      must(
        await inTime(() => both.every((issuer) => keysOf(issuer) === 2), 30_000),
        'the new keys do not sign',
      );
      await sleep(faultMs);
      delete scene.onToken;
      const why = [...new Set(verifier.failures)].slice(0, 3).join('; ');
      must(
        verifier.failures.length === 0,
        `${verifier.failures.length} tokens could not be verified: ${why}`,
      );
      note(`${verifier.verified} tokens verified, of ${verifier.seen.size} keys`);
    },
  },
  {
    number: 14,
    name: 'The mail server is down, then slow',
    does: 'connections to it are reset; then it takes half a minute to greet; then it works again',
    isSmooth: true,
    async fault(stage) {
      const { world, faultMs, scene, must, note } = stage;
      const from = scene.history.now();
      world.mails.setMood('down');
      await sleep(Math.max(faultMs, 6000));
      world.mails.setMood('slow');
      await sleep(Math.max(faultMs, 6000));
      const { calm, during } = mailRequests(stage, from);
      world.mails.setMood('ok');
      const [was, is] = [figuresOf(calm), figuresOf(during)];
      must(during.length > 0, 'nobody asked for a mail meanwhile');
      // Within the noise of so few: no answer waits for a mail server, which would take many seconds.
      must(
        calm.length < 5 || is.p50 <= was.p99 * 1.5 + 25,
        `asking for a mail took ${Math.round(is.p50)} ms and not ${Math.round(was.p99)} at most`,
      );
      note(
        `asking for a mail: p50 ${Math.round(was.p50)} ms before, ${Math.round(is.p50)} ms without a mail server`,
      );
    },
  },
  {
    number: 15,
    name: 'The receiver of logout tokens is down, fails, is slow',
    does: 'sessions are ended while the receiver is away, then answers 500, then is slow; then it works',
    isSmooth: true,
    async prepare(world, sender) {
      receiver = await startLogoutReceiver();
      world.logoutTarget.pointTo(Number(receiver.host.split(':')[1]));
      const uri = `http://127.0.0.1:${world.logoutTarget.port}/backchannel`;
      const settings = { backchannel_logout_uri: uri, backchannel_logout_session_required: true };
      const { status, body } = await sender.admin(
        'PATCH',
        `/apps/${world.shop.appId}/clients/${world.shop.appId}`,
        { settings },
      );
      if (status !== 200) throw new Error(`no receiver: ${status} ${JSON.stringify(body)}`);
    },
    async fault(stage) {
      const { world, faultMs, note } = stage;
      const link = world.logoutTarget;
      link.set({ isRefusing: true });
      await endSessions(stage, 5);
      await sleep(faultMs / 2);
      link.heal();
      receiver!.answers.push(500, 500, 500, 503, 302);
      await endSessions(stage, 5);
      await sleep(faultMs / 2);
      link.set({ delayMs: 4000 });
      await endSessions(stage, 5);
      await sleep(faultMs / 2);
      link.heal();
      note(`${stage.scene.ledger.endedSessions.length} sessions ended`);
    },
    async afterwards({ scene, must, note, world }) {
      const { endedSessions } = scene.ledger;
      const told = (): Set<string> => new Set(receiver!.received.map(({ claims }) => String(claims['sub'])));
      // The third try comes after 20 s, the fourth after 65.
      await inTime(() => endedSessions.every((userId) => told().has(userId)), 90_000);
      const untold = endedSessions.filter((userId) => !told().has(userId));
      must(untold.length === 0, `${untold.length} of ${endedSessions.length} ends were never told`);
      const [delivered] = await world.postgres.sql<{ times: number }>(
        "select count(*)::int as times from audit_events where type = 'backchannel_logout.delivered'",
      );
      const jtis = new Set(receiver!.received.map(({ claims }) => claims.jti));
      note(
        `${receiver!.received.length} logout tokens came, ${jtis.size} different ones; ${delivered!.times} in the trail as delivered`,
      );
    },
    async cleanUp() {
      await receiver?.stop();
      receiver = undefined;
    },
  },
];

/** An operator ends sessions of people who have signed in. */
async function endSessions({ world, scene, sender, must }: Stage, wanted: number): Promise<void> {
  const ended = new Set(scene.ledger.endedSessions);
  for (const { userId } of scene.ledger.users.toReversed()) {
    if (wanted === 0) return;
    if (ended.has(userId)) continue;
    const path = `/apps/${world.shop.appId}/users/${userId}/sessions`;
    const { body } = await sender.admin('GET', path);
    const [session] = body?.items ?? [];
    if (!session) continue;
    // What was given in this session may end with it, and what is being given just now.
    scene.ledger.sessionsEnding.add(userId);
    for (const chain of scene.ledger.chains)
      if (chain.userId === userId && chain.revoked === 'no') chain.revoked = 'unknown';
    const { status } = await sender.admin('DELETE', `${path}/${session.session_id}`);
    must(status === 204, `ending a session was answered ${status}`);
    scene.ledger.acknowledged('session.ended', userId);
    scene.ledger.endedSessions.push(userId);
    wanted -= 1;
  }
}
