import { expect } from 'chai';
import { digestOf, newSecret } from '../../src/kernel/secret.ts';
import { freshEmail, isSignedIn, PASSWORD, signInWithPassword } from '../sign-in/people.ts';
import type { Page } from '../support/agent.ts';
import { addPasskey, answer, Authenticator, offered } from '../support/passkeys.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import type { Flow, Stage, Trial } from './harness.ts';
import {
  account,
  countsOf,
  events,
  freshSteps,
  type Person,
  protectedPerson,
  shared,
  signedInPerson,
  stateOf,
} from './people.ts';

const done =
  (word: string) =>
  (page: Page): boolean =>
    page.url.includes(`done=${word}`);

type Rows = { begun: Record<string, number>; state: Trial['state'] };
/** What there is of somebody now, and by how much it is to grow. */
async function watch(
  stage: Stage,
  userId: string,
  rows: Record<string, [from: string, by: number]>,
): Promise<Rows> {
  const from = Object.fromEntries(Object.entries(rows).map(([name, [what]]) => [name, what]));
  const grown = Object.fromEntries(Object.entries(rows).map(([name, [, by]]) => [name, by]));
  const begun = await countsOf(stage, userId, from);
  return { begun, state: async () => stateOf(begun, await countsOf(stage, userId, from), grown) };
}

const owner = (stage: Stage): Promise<Person> => shared(stage, 'owner', () => signedInPerson(stage));
const clear = (stage: Stage, userId: string, ...tables: string[]) =>
  Promise.all(tables.map((table) => stage.lk.sql(`delete from ${table} where user_id = $1`, [userId])));

const addingPasskey: Flow = {
  name: 'adding a passkey',
  async begin(stage) {
    const { agent, appId, userId } = await owner(stage);
    await clear(stage, userId, 'passkeys');
    const page = await agent.open(account(appId, 'passkeys/new'));
    const credential = new Authenticator(agent.origin).create(offered(page));
    const { state } = await watch(stage, userId, {
      passkeys: ['passkeys where $', 1],
      added: [events('passkey.added'), 1],
    });
    return { attempt: () => answer(agent, page, credential), isDone: done('passkey_added'), state };
  },
};

const removingPasskey: Flow = {
  name: 'removing a passkey',
  async begin(stage) {
    const { agent, appId, userId } = await owner(stage);
    await clear(stage, userId, 'passkeys');
    await addPasskey(agent, appId);
    const page = await agent.open(account(appId, 'passkeys'));
    const { state } = await watch(stage, userId, {
      passkeys: ['passkeys where $', -1],
      removed: [events('passkey.removed'), 1],
    });
    const attempt = () => agent.submit(page, {}, { ending: '/remove' });
    return { attempt, isDone: done('passkey_removed'), state };
  },
};

const switchingTotpOn: Flow = {
  name: 'switching an authenticator app on',
  async begin(stage) {
    const person = await shared(stage, 'without factors', () => signedInPerson(stage));
    const { agent, appId, userId } = person;
    await clear(stage, userId, 'totp_authenticators', 'recovery_codes');
    const page = await agent.open(account(appId, 'factors/totp'));
    const code = totpCode(secretOn(page));
    const { state } = await watch(stage, userId, {
      totp: ['totp_authenticators where $', 1],
      codes: ['recovery_codes where $', 10],
      enabled: [events('totp.enabled'), 1],
    });
    return {
      attempt: () => agent.submit(page, { code }, { ending: '/factors/totp' }),
      isDone: (shown) => codesOn(shown).length === 10,
      // Where only the answer failed, the session is one by then that lacks the factor, and is asked for it.
      state,
    };
  },
};

/** With a session that has shown both; what a trial takes away is put back. */
async function withFactor(stage: Stage) {
  const person = await shared(stage, 'with factor', async () => {
    const made = await protectedPerson(stage);
    const of = (table: string) => stage.lk.sql(`select * from ${table} where user_id = $1`, [made.userId]);
    return { ...made, totp: await of('totp_authenticators'), rows: await of('recovery_codes') };
  });
  await clear(stage, person.userId, 'totp_authenticators', 'recovery_codes');
  for (const [table, rows] of [
    ['totp_authenticators', person.totp],
    ['recovery_codes', person.rows],
  ] as const)
    await stage.lk.sql(
      `insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`,
      [JSON.stringify(rows)],
    );
  return person;
}

const switchingTotpOff: Flow = {
  name: 'switching an authenticator app off',
  async begin(stage) {
    const { agent, appId, userId } = await withFactor(stage);
    const page = await agent.open(account(appId, 'factors'));
    const { state } = await watch(stage, userId, {
      totp: ['totp_authenticators where $', -1],
      codes: ['recovery_codes where $', -10],
      disabled: [events('totp.disabled'), 1],
    });
    const attempt = () => agent.submit(page, {}, { ending: '/totp/remove' });
    return { attempt, isDone: done('totp_removed'), state };
  },
};

const renewingCodes: Flow = {
  name: 'making recovery codes anew',
  async begin(stage) {
    const { agent, appId, userId, rows } = await withFactor(stage);
    const page = await agent.open(account(appId, 'factors'));
    const made = await watch(stage, userId, { made: [events('recovery_codes.made'), 1] });
    return {
      attempt: () => agent.submit(page, {}, { ending: '/recovery-codes' }),
      isDone: (shown) => codesOn(shown).length === 10,
      async state() {
        const now = await stage.lk.sql('select digest from recovery_codes where user_id = $1', [userId]);
        const old = new Set(rows.map(({ digest }) => digest));
        const kept = now.filter(({ digest }) => old.has(digest)).length;
        const trail = await made.state();
        if (now.length !== 10 || kept !== (trail === 'before' ? 10 : 0))
          return { now: now.length, kept, trail };
        return trail;
      },
    };
  },
};

const forgettingBrowser: Flow = {
  name: 'forgetting a browser that was let off',
  async begin(stage) {
    const { agent, appId, userId, email, secret } = await withFactor(stage);
    await freshSteps(stage, userId);
    await clear(stage, userId, 'trusted_devices');
    const other = stage.agent();
    const due = await signInWithPassword(other, appId, email);
    const fields = { code: totpCode(secret), remember_device: 'yes' };
    await other.submit(due, fields, { ending: '/second-factor/totp' });
    const page = await agent.open(account(appId, 'factors'));
    const { state } = await watch(stage, userId, {
      trusted: ['trusted_devices where $', -1],
      forgotten: [events('trusted_device.forgotten'), 1],
    });
    const attempt = () => agent.submit(page, {}, { ending: '/forget' });
    return { attempt, isDone: done('trusted'), state };
  },
};

const passwords = new WeakMap<Stage, string>();
let numbers = 0;

const changingPassword: Flow = {
  name: 'changing the password',
  async begin(stage) {
    const { agent, appId, userId, email } = await shared(stage, 'password', () => signedInPerson(stage));
    const page = await agent.open(account(appId, 'password'));
    const current = passwords.get(stage) ?? PASSWORD;
    const next = `seven copper umbrellas ${(numbers += 1)}`;
    const { state } = await watch(stage, userId, { changed: [events('password.changed'), 1] });
    const fields = { current_password: current, new_password: next };
    return {
      attempt: () => agent.submit(page, fields, { ending: '/password' }),
      isDone: done('password'),
      state,
      async works() {
        passwords.set(stage, next);
        expect(isSignedIn(await signInWithPassword(stage.agent(), appId, email, next))).to.equal(true);
      },
    };
  },
};

const mailedLink = async (stage: Stage, address: string): Promise<string> =>
  /https?:\S+\/identifiers\/confirm\/[\w-]+/.exec((await stage.lk.mailsTo(address))[0]!.text)![0];

let changes = 0;

async function askedForChange(stage: Stage) {
  // Somebody else from time to time: neither an account nor a network asks as often as all trials do.
  changes += 1;
  const person = await shared(stage, `address ${changes >> 3}`, () => signedInPerson(stage));
  const { agent, appId, userId } = person;
  await clear(stage, userId, 'email_changes', 'email_undos');
  const next = freshEmail();
  const identifiers = await agent.open(account(appId, 'identifiers'));
  const ask = () => agent.submit(identifiers, { email: next }, { ending: '/account/identifiers' });
  return { ...person, next, ask };
}

/** The address, its change and its undoing, which come and go together. */
async function watchAddress(stage: Stage, userId: string, next: string): Promise<Rows> {
  return watch(stage, userId, {
    address: [`identifiers where $ and kind = 'email' and value = '${next}'`, 1],
    changes: ['email_changes where $', -1],
    undos: ['email_undos where $', 1],
    changed: [events('email.changed'), 1],
  });
}

const askingForAddress: Flow = {
  name: 'asking for another address',
  async begin(stage) {
    const { userId, ask, next, agent } = await askedForChange(stage);
    const rows = `email_changes where $ and new_email = '${next}'`;
    const { state } = await watch(stage, userId, { changes: [rows, 1] });
    return {
      attempt: ask,
      isDone: done('email_asked'),
      state,
      async works() {
        // Asked twice, the first mail comes too, and its link is over: what counts is the newest.
        for (const deadline = Date.now() + 20_000; ; ) {
          const { html } = await agent.open(await mailedLink(stage, next));
          if (html.includes('Use this address')) return;
          expect(Date.now(), html).to.be.lessThan(deadline);
        }
      },
    };
  },
};

const confirmingAddress: Flow = {
  name: 'confirming another address by its link',
  async begin(stage) {
    const { userId, ask, next, agent } = await askedForChange(stage);
    await ask();
    const page = await agent.open(await mailedLink(stage, next));
    const { state } = await watchAddress(stage, userId, next);
    return { attempt: () => agent.submit(page, {}), isDone: done('email'), state };
  },
};

const typingCodeOfAddress: Flow = {
  name: 'confirming another address by the six digits of its mail',
  async begin(stage) {
    const { userId, ask, next, agent } = await askedForChange(stage);
    const asked = await ask();
    const shown = await stage.agent().open(await mailedLink(stage, next));
    const code = /class="digits" value="(\d{6})"/.exec(shown.html)![1]!;
    const { state } = await watchAddress(stage, userId, next);
    return {
      attempt: () => agent.submit(asked, { code }, { ending: '/identifiers/code' }),
      isDone: done('email'),
      state,
    };
  },
};

const undoingAddress: Flow = {
  name: 'undoing a change of address',
  async begin(stage) {
    const { lk, shop } = stage;
    const { userId, hash } = await shared(stage, 'undo', async () => {
      const person = await signedInPerson(stage);
      const [row] = await lk.sql('select hash from passwords where user_id = $1', [person.userId]);
      return { ...person, hash: row!['hash'] };
    });
    const [secret, old] = [newSecret(), freshEmail()];
    await lk.sql(
      `insert into passwords (app_id, user_id, hash) values ($1, $2, $3) on conflict (app_id, user_id) do update set hash = $3`,
      [shop, userId, hash],
    );
    await lk.sql(
      `insert into email_undos (app_id, digest, user_id, old_email, asked_at, expires_at)
       values ($1, $2, $3, $4, now(), now() + interval '1 hour')`,
      [shop, digestOf(secret), userId, old],
    );
    const victim = stage.agent();
    const page = await victim.open(account(shop, `identifiers/undo/${secret}`));
    const { state } = await watch(stage, userId, {
      address: [`identifiers where $ and kind = 'email' and value = '${old}'`, 1],
      undos: ['email_undos where $', -1],
      passwords: ['passwords where $', -1],
      undone: [events('email.change_undone'), 1],
    });
    return {
      attempt: () => victim.submit(page, {}),
      isDone: ({ html }) => html.includes('yours again'),
      state,
      async works() {
        expect((await victim.submit(page, {})).status).to.equal(410);
      },
    };
  },
};

const deletingAccount: Flow = {
  name: 'deleting the account',
  async begin(stage) {
    const { agent, appId, userId, email } = await signedInPerson(stage);
    const page = await agent.open(account(appId, 'data'));
    const { state } = await watch(stage, userId, {
      users: ['users where $', -1],
      addresses: ['identifiers where $', -1],
      passwords: ['passwords where $', -1],
      deleted: [events('user.deleted'), 1],
    });
    return {
      attempt: () => agent.submit(page, { confirm: email }, { ending: '/data/delete' }),
      isDone: ({ html }) => html.includes('Your account is deleted'),
      state,
      async works() {
        expect((await stage.lk.mailWith(email, 'deleted')).subject).to.contain('deleted');
      },
    };
  },
};

const downloading: Flow = {
  name: 'downloading what is known of somebody',
  async begin(stage) {
    const { agent, appId, userId } = await owner(stage);
    const page = await agent.open(account(appId, 'data'));
    const { state } = await watch(stage, userId, { downloaded: [events('user.data_downloaded'), 1] });
    return {
      attempt: () => agent.submit(page, {}, { ending: '/data/download' }),
      isDone: ({ headers, html }) =>
        headers.get('content-type')!.startsWith('application/json') && html.includes('"account"'),
      state,
    };
  },
};

export const accountFlows: readonly Flow[] = [
  addingPasskey,
  removingPasskey,
  switchingTotpOn,
  switchingTotpOff,
  renewingCodes,
  forgettingBrowser,
  changingPassword,
  askingForAddress,
  confirmingAddress,
  typingCodeOfAddress,
  undoingAddress,
  deletingAccount,
  downloading,
];
