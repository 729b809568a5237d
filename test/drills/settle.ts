import { claimsOf, introspect, REDIRECT, type Scene, Sender, shopOf } from './flows.ts';
import { type Entry, isFailed } from './history.ts';
import type { Chain } from './ledger.ts';
import type { SunkMail } from './mail-sink.ts';
import { inTime } from './patience.ts';
import type { World } from './world.ts';

/** What a drill may do that others may not. */
export type Leave = {
  /** Requests may go without an answer: a process dies with them in hand. */
  lost?: boolean;
  /** Mail may be sent twice: a process dies between sending and writing down that it did. */
  doubleMail?: boolean;
  /** Requests are repeated on the way: who asks for a mail twice is sent two, and both are in the trail. */
  asksTwice?: boolean;
};

/** After the load: what was told to the senders is compared with what the program says now and with what the stores hold. */
export async function settle(
  world: World,
  scene: Scene,
  { leave = {}, longestMs }: { leave: Leave | undefined; longestMs: number },
): Promise<string[]> {
  const { ledger } = scene;
  const sender = new Sender({ ...scene, isOver: () => false }, 'settling');
  judgeHistory(scene, leave, longestMs);
  await revokedStaysRevoked(sender);
  const lost = await liveStaysAlive(world, sender);
  await writesAreThere(world, scene);
  await trailIsComplete(world, scene, leave);
  const mail = await mailIsSent(world, scene, leave);
  await spentStaysSpent(sender);
  const counts = [
    `${ledger.users.length} made`,
    `${ledger.chains.length} families of tokens`,
    `${ledger.revocations.length} revoked tokens`,
    `${ledger.successesOf('code')} codes`,
    `${ledger.successesOf('refresh')} refreshes`,
    `${ledger.successesOf('magic link')} links`,
    `${ledger.successesOf('totp')} codes of apps`,
  ];
  return [`checked: ${counts.join(', ')}`, ...lost, ...mail];
}

/** I4: every failure is a refusal that says when to come back, soon, and says nothing else. */
function judgeHistory({ history, ledger }: Scene, leave: Leave, longestMs: number): void {
  const wrong = new Map<string, number>();
  const say = (entry: Entry, why: string): void => {
    const key = `${why}: ${entry.what} ${entry.said.slice(0, 120)}`;
    wrong.set(key, (wrong.get(key) ?? 0) + 1);
  };
  for (const entry of history.entries) {
    if (entry.took === Number.POSITIVE_INFINITY) continue; // cut off with the load
    if (entry.took > longestMs) say(entry, `took longer than ${longestMs / 1000} s`);
    if (entry.status === 0 && !leave.lost) say(entry, 'no answer');
    if (entry.status >= 500 && entry.status !== 503) say(entry, `answered ${entry.status}`);
    if (entry.status === 503 && !(Number(entry.retryAfter) > 0)) say(entry, '503 without Retry-After');
  }
  for (const [what, times] of wrong) ledger.violate('I4', `${times} times ${what}`);
  for (const leak of new Set(history.leaks)) ledger.violate('I4', `says too much: ${leak}`);
}

/** I2 */
async function revokedStaysRevoked(sender: Sender): Promise<void> {
  const { ledger } = sender.scene;
  for (const revocation of ledger.revocations) {
    const shop = shopOf(sender.scene, revocation);
    const { body } = await sender.post(`${revocation.issuer}/introspect`, shop, { token: revocation.token });
    if (body?.active !== false)
      ledger.violate('I2', `a revoked token is ${JSON.stringify(body).slice(0, 100)}`);
  }
  for (const chain of ledger.chains.filter(({ revoked }) => revoked === 'acknowledged')) {
    const form = { grant_type: 'refresh_token', refresh_token: chain.refresh };
    const { status } = await sender.post(`${chain.issuer}/token`, shopOf(sender.scene, chain), form);
    if (status !== 400) ledger.violate('I2', `a revoked refresh token was answered ${status}`);
  }
}

/** I3: nobody is signed out by a fault, unless an answer with the next token never came to them in time. */
async function liveStaysAlive({ postgres }: World, sender: Sender): Promise<string[]> {
  const { ledger } = sender.scene;
  const dead: Chain[] = [];
  let unsure = 0;
  for (const chain of ledger.chains.filter(({ revoked }) => revoked === 'no')) {
    if (chain.isLost) {
      unsure += 1;
      dead.push(chain);
      continue;
    }
    const form = { grant_type: 'refresh_token', refresh_token: chain.refresh };
    const answer = await sender.post(`${chain.issuer}/token`, shopOf(sender.scene, chain), form);
    if (answer.status === 200) {
      ledger.succeeded('refresh', chain.refresh, answer.body.refresh_token);
      chain.access = answer.body.access_token;
      if ((await introspect(sender, chain)) !== true)
        ledger.violate('I3', 'a token just given is not active');
    } else if (chain.isUnsure) {
      unsure += 1;
      dead.push(chain);
    } else
      chain.refusal = `a live refresh token was answered ${answer.status} ${JSON.stringify(answer.body)}`;
  }
  for (const { refusal, grantId } of ledger.chains) {
    if (refusal === undefined) continue;
    const [row] = await postgres.sql('select revoked_at, revoked_why from grants where grant_id = $1', [
      grantId,
    ]);
    ledger.violate('I3', `${refusal} (its grant: ${JSON.stringify(row)})`);
  }
  // Only where the token really was used, and the answer lost, is the family ended by its second use.
  for (const chain of dead) {
    const [row] = await postgres.sql('select revoked_at from grants where grant_id = $1', [chain.grantId]);
    if (!row?.['revoked_at']) ledger.violate('I3', 'a refresh token is refused although its family lives');
  }
  return unsure
    ? [
        `${unsure} of ${ledger.chains.length} families ended, because an answer was lost and the client came back later than the grace`,
      ]
    : [];
}

/** I1, I5: whatever was used once is refused now. */
async function spentStaysSpent(sender: Sender): Promise<void> {
  const { ledger } = sender.scene;
  for (const {
    chain: { issuer, appId },
    code,
    verifier,
  } of ledger.redeemed.slice(-40)) {
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier };
    const { status } = await sender.post(`${issuer}/token`, shopOf(sender.scene, { appId }), form);
    if (status !== 400) ledger.violate('I1', `a code that was redeemed was answered ${status}`);
  }
  // A token used twice or more ago: its successor is used, so that no grace covers it. It ends its family.
  for (const chain of ledger.chains.filter(({ used }) => used.length > 1).slice(-20)) {
    const form = { grant_type: 'refresh_token', refresh_token: chain.used[0]! };
    const { status } = await sender.post(`${chain.issuer}/token`, shopOf(sender.scene, chain), form);
    if (status !== 400) ledger.violate('I1', `a refresh token used long ago was answered ${status}`);
  }
  for (const link of ledger.usedLinks.slice(-20)) {
    const answer = await sender.fetcher(link, { headers: { accept: 'text/html' }, redirect: 'manual' });
    if (answer.status !== 410 && answer.status !== 404)
      ledger.violate('I1', `a used link was answered ${answer.status}`);
  }
}

/** I3: users with their addresses, grants, revocations; and nothing by halves. */
async function writesAreThere({ postgres }: World, { ledger }: Scene): Promise<void> {
  const users = await postgres.sql<{ user_id: string; value: string | null }>(
    'select u.user_id, i.value from users u left join identifiers i using (app_id, user_id)',
  );
  const emailOf = new Map(users.map(({ user_id, value }) => [user_id, value]));
  for (const { userId, email } of ledger.users)
    if (emailOf.get(userId) !== email) ledger.violate('I3', 'a user that was made is not there');
  const bare = users.filter(({ value }) => value === null);
  if (bare.length > 0) ledger.violate('I3', `${bare.length} users without an address`);
  const grants = new Map(
    (await postgres.sql('select grant_id, revoked_at from grants')).map((row) => [
      row['grant_id'],
      row['revoked_at'],
    ]),
  );
  for (const { grantId, revoked } of ledger.chains) {
    if (!grants.has(grantId)) ledger.violate('I3', 'a grant that was given is not there');
    else if (revoked === 'acknowledged' && grants.get(grantId) === null)
      ledger.violate('I3', 'a revocation that was acknowledged is not there');
  }
  const denied = new Set((await postgres.sql('select jti from denied_tokens')).map((row) => row['jti']));
  const whole = new Set(
    ledger.chains
      .filter(({ revoked }) => revoked === 'acknowledged')
      .flatMap(({ given, refresh }) => [...given, refresh]),
  );
  for (const { token } of ledger.revocations)
    if (!whole.has(token) && !denied.has(claimsOf(token)['jti']))
      ledger.violate('I3', 'a denied token is not on the list');
}

const TRAIL =
  'select type, user_id, count(*)::int as times from audit_events where user_id is not null group by 1, 2';
type Times = { type: string; user_id: string; times: number };

/** What the trail holds before the load begins. */
export async function beginTrail({ postgres }: World, { ledger }: Scene): Promise<void> {
  for (const { type, user_id: userId, times } of await postgres.sql<Times>(TRAIL))
    ledger.began(type, userId, times);
}

/** I7: one event for each action that was acknowledged, and none that nobody did. */
async function trailIsComplete({ postgres }: World, { ledger }: Scene, leave: Leave): Promise<void> {
  const rows = await postgres.sql<Times>(TRAIL);
  const seen = new Map(rows.map(({ type, user_id, times }) => [`${type} ${user_id}`, times]));
  const wrong = new Map<string, number>();
  for (const { action, whose, least, most } of ledger.bounds()) {
    const times = seen.get(`${action} ${whose}`) ?? 0;
    const twice = leave.asksTwice && action === 'magic_link.requested' ? 2 : 1;
    if (times >= least && times <= most * twice) continue;
    const key = `${action} is in the trail ${times} times and not ${least === most ? least : `${least} to ${most}`}`;
    wrong.set(key, (wrong.get(key) ?? 0) + 1);
  }
  for (const [what, times] of wrong) ledger.violate('I7', `${what} (${times} people)`);
}

/** Mail that was acknowledged is sent, and once. */
async function mailIsSent({ postgres, mails }: World, { ledger }: Scene, leave: Leave): Promise<string[]> {
  const wanted = ledger.links.map(({ email }) => email);
  const linksTo = (email: string): SunkMail[] =>
    mails.mails.filter((mail) => mail.to === email && mail.text.includes('/magic-link/'));
  const pending = async (): Promise<number> =>
    (await postgres.sql("select 1 from jobs where kind = 'mail' and failed_at is null")).length;
  // The first try again comes after five seconds, the second after fifteen more. What a dead process had in hand is
  // taken up after two minutes: it is enough that it is still there.
  await inTime(
    async () => wanted.every((email) => linksTo(email).length > 0) || (await pending()) === 0,
    30_000,
  );
  const left = await pending();
  const missing = wanted.filter((email) => linksTo(email).length === 0).length;
  if (missing > left) ledger.violate('I3', `${missing - left} mails that were asked for were never sent`);
  const doubled = wanted.filter((email) => linksTo(email).length > 1);
  if (doubled.length > 0 && !leave.doubleMail && !leave.asksTwice)
    ledger.violate('I1', `${doubled.length} mails were sent twice`);
  const notes = [];
  if (left > 0) notes.push(`${left} mails are still to be tried again`);
  if (doubled.length > 0 && (leave.doubleMail || leave.asksTwice))
    notes.push(`${doubled.length} mails were sent twice`);
  return notes;
}

export const failuresIn = (entries: readonly Entry[]): number => entries.filter(isFailed).length;
