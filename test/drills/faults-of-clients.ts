import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { totpCode } from '../support/totp.ts';
import type { Drill, Stage } from './drill.ts';
import {
  askForLink,
  begin,
  byPassword,
  codeIn,
  linkTo,
  newPerson,
  PASSWORD,
  REDIRECT,
  Sender,
} from './flows.ts';
import { patiently } from './patience.ts';

const times = <T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const statusesOf = (answers: { status: number }[]): string =>
  [...new Set(answers.map(({ status }) => status))]
    .map((status) => `${answers.filter((answer) => answer.status === status).length} × ${status}`)
    .join(', ');

/** One code, sent so many times at once. */
async function raceOfCode(stage: Stage, sender: Sender, count: number): Promise<void> {
  const { scene, must, note } = stage;
  const begun = (await begin(sender, scene.shop))!;
  const code = codeIn(begun.page) ?? (await byPassword(sender, begun, scene.people[0]!));
  const form = {
    grant_type: 'authorization_code',
    code: code!,
    redirect_uri: REDIRECT,
    code_verifier: begun.verifier,
  };
  const begunAt = performance.now();
  const answers = await times(count, () => sender.post(`${begun.issuer}/token`, scene.shop, form));
  const good = answers.filter(({ status }) => status === 200);
  must(good.length === 1, `one code, ${count} at once: ${statusesOf(answers)}`);
  const [winner] = good;
  if (!winner) return;
  // One that comes two seconds after the first ends what that gave (RFC 6749 §4.1.2).
  if (performance.now() - begunAt > 1500) return note(`a race of ${count} took too long for its code`);
  const token = winner.body.access_token;
  const { body } = await sender.post(`${begun.issuer}/introspect`, scene.shop, { token });
  must(body?.active === true, `what the winner of ${count} got is not active`);
  await raceOfRefresh(stage, sender, { count, issuer: begun.issuer, token: winner.body.refresh_token });
}

/** One refresh token: those who get an answer get the same successor, and it works. */
async function raceOfRefresh(
  { scene, must }: Stage,
  sender: Sender,
  { count, issuer, token }: { count: number; issuer: string; token: string },
): Promise<void> {
  const form = { grant_type: 'refresh_token', refresh_token: token };
  const answers = await times(count, () => sender.post(`${issuer}/token`, scene.shop, form));
  const successors = new Set(
    answers.filter(({ status }) => status === 200).map(({ body }) => body.refresh_token),
  );
  must(
    successors.size === 1,
    `one refresh token, ${count} at once: ${statusesOf(answers)}, ${successors.size} successors`,
  );
  const next = await sender.post(`${issuer}/token`, scene.shop, {
    ...form,
    refresh_token: [...successors][0] ?? '',
  });
  must(next.status === 200, `the successor of ${count} refreshes at once was answered ${next.status}`);
}

async function raceOfLink({ scene, must }: Stage, sender: Sender, count: number): Promise<void> {
  const person = (await newPerson(sender))!;
  const begun = (await begin(sender, scene.shop))!;
  await askForLink(sender, begun, person);
  const sent = (): string | undefined => linkTo(scene.mails, person.email);
  await patiently('a mail', () => sent() !== undefined);
  const page = await begun.agent.open(new URL(sent()!).pathname);
  const codes = (await times(count, () => begun.agent.submit(page, {}).then(codeIn, () => {}))).filter(
    (code) => code,
  );
  must(new Set(codes).size === 1, `one link, ${count} at once: ${new Set(codes).size} codes`);
  // Which of them was told is not known to any of them.
  for (const _ of codes) scene.ledger.unknown('sign_in.succeeded', person.userId);
}

/** One code of an authenticator app, typed in so many browsers. */
async function raceOfTotp({ world, scene, must }: Stage, sender: Sender, count: number): Promise<void> {
  const careful = world.careful[0]!;
  // Nobody else signs in as this one meanwhile.
  await world.postgres.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [
    careful.userId,
  ]);
  const pages = await times(count, async () => {
    const begun = (await begin(sender, scene.strict))!;
    const page = await begun.agent.submit(
      begun.page,
      { email: careful.email, password: PASSWORD },
      { ending: '/password' },
    );
    return { agent: begun.agent, page };
  });
  const code = totpCode(careful.secret);
  careful.lastStep = Math.floor(Date.now() / 30_000) + 1;
  const codes = await times(count, (i) =>
    pages[i]!.agent.submit(pages[i]!.page, { code }, { ending: '/second-factor/totp' }).then(
      codeIn,
      () => {},
    ),
  );
  const good = codes.filter((one) => one !== undefined);
  for (const _ of good) scene.ledger.unknown('sign_in.succeeded', careful.userId);
  must(good.length === 1, `one code of an app, ${count} at once: ${good.length} sign-ins`);
}

/** One address, made so many times. */
async function raceOfAddress({ world, scene, must }: Stage, sender: Sender, count: number): Promise<void> {
  const email = `race-${randomBytes(6).toString('hex')}@example.com`;
  const answers = await times(count, () =>
    sender.admin('POST', `/apps/${scene.shop.appId}/users`, { email, email_verified: true }),
  );
  const made = answers.filter(({ status }) => status === 201);
  must(
    made.length === 1 && answers.every(({ status }) => status === 201 || status === 409),
    `one address, ${count} at once: ${statusesOf(answers)}`,
  );
  const rows = await world.postgres.sql('select 1 from identifiers where value = $1', [email]);
  must(rows.length === 1, `${rows.length} rows of one address`);
}

export const clientDrills: readonly Drill[] = [
  {
    number: 16,
    name: 'Every POST is sent twice',
    does: 'the balancer sends each POST to both instances, one after the other; the client gets the first answer',
    leave: { asksTwice: true },
    isSmooth: true,
    async fault({ world, scene, faultMs, must, note }) {
      let repeated = 0;
      scene.isRepeated = true;
      const seconds = new Map<string, number>();
      world.balancer.repeatTo(({ path, body, first, second }) => {
        repeated += 1;
        const form = new URLSearchParams(body);
        const grant = form.get('grant_type');
        const name = `${grant ?? path.replaceAll(/[A-Za-z0-9_-]{20,}/g, '…')} ${first.status} then ${second.status}`;
        seconds.set(name, (seconds.get(name) ?? 0) + 1);
        must(second.status < 500 || second.status === 503, `the second of ${name}`);
        if (first.status !== 200 || second.status !== 200) return;
        if (grant === 'authorization_code') must(false, 'a code was redeemed twice');
        if (grant === 'refresh_token') {
          const [a, b] = [first, second].map(({ body: text }) => JSON.parse(text).refresh_token as string);
          must(a === b, 'a refresh token has two successors');
        }
      });
      await sleep(faultMs * 2);
      world.balancer.repeatTo(undefined);
      await sleep(1000);
      note(`${repeated} POSTs were repeated`);
      for (const [name, count] of [...seconds].toSorted((a, b) => b[1] - a[1]).slice(0, 12))
        note(`  ${count} × ${name}`);
    },
  },
  {
    number: 18,
    name: 'Both instances race',
    does: 'one code, refresh token, link, code of an app and address, each sent 2 and 20 times at once to both; 200 times in the long form',
    isSmooth: true,
    async fault(stage) {
      const sender = new Sender(stage.scene, 'racer');
      for (const count of stage.faultMs > 10_000 ? [2, 20, 200] : [2, 20]) {
        await raceOfCode(stage, sender, count);
        await raceOfLink(stage, sender, count);
        await raceOfAddress(stage, sender, count);
        // Each of these is a password to be hashed.
        await raceOfTotp(stage, sender, Math.min(count, 20));
        await sleep(500);
      }
    },
  },
];
