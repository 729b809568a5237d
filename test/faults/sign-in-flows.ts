import { hashSync } from '@node-rs/bcrypt';
import { expect } from 'chai';
import { askForCode, begin, isSignedIn, makeUser, PASSWORD, signInWithPassword } from '../sign-in/people.ts';
import type { Page } from '../support/agent.ts';
import { addPasskey, answer, Authenticator, offered } from '../support/passkeys.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import type { Flow, Stage } from './harness.ts';
import {
  countsOf,
  events,
  expectWorth,
  freshSteps,
  protectedPerson,
  shared,
  signedInPerson,
  stateOf,
} from './people.ts';

const succeeded = events('sign_in.succeeded');

const passkeySignIn: Flow = {
  name: 'signing in with a passkey',
  async begin(stage) {
    const { shop } = stage;
    const { userId, authenticator } = await shared(stage, 'passkey', async () => {
      const person = await signedInPerson(stage);
      return { ...person, ...(await addPasskey(person.agent, shop)) };
    });
    const show = async (agent = stage.agent()) => {
      const page = await begin(agent, shop);
      authenticator.counter += 1;
      const credential = authenticator.get(offered(page));
      return () => answer(agent, page, credential);
    };
    const count = () => countsOf(stage, userId, { succeeded });
    const [attempt, begun] = [await show(), await count()];
    let last: Page | undefined;
    return {
      attempt: async () => (last = await attempt()),
      isDone: isSignedIn,
      state: async () => stateOf(begun, await count(), { succeeded: 1 }),
      async anew() {
        last = await (await show())();
      },
      async works() {
        await expectWorth(stage, shop, last);
        expect(isSignedIn(await attempt()), 'spent twice').to.equal(false);
      },
    };
  },
};

/** A second proof, after the password of somebody who has an authenticator app and recovery codes. */
function secondFactor(
  name: string,
  how: {
    path: 'totp' | 'recovery-code';
    rows: Record<string, string>;
    fresh(stage: Stage, userId: string): Promise<unknown>;
    code(person: { secret: string; codes: string[] }): string;
  },
): Flow {
  return {
    name,
    async begin(stage) {
      const { shop } = stage;
      const person = await shared(stage, 'second factor', () => protectedPerson(stage));
      const { userId, email } = person;
      let used = '';
      const show = async (code = how.code(person)) => {
        const agent = stage.agent();
        const due = await signInWithPassword(agent, shop, email);
        const page = await agent.open(due.url.replace('/totp', `/${how.path}`));
        const fields = { code, remember_device: 'yes' };
        used = code;
        return () => agent.submit(page, fields, { ending: `/${how.path}` });
      };
      await how.fresh(stage, userId);
      const rows = { succeeded, trusted: 'trusted_devices where $', ...how.rows };
      const attempt = await show();
      const begun = await countsOf(stage, userId, rows);
      let last: Page | undefined;
      const grown = Object.fromEntries(Object.keys(rows).map((one) => [one, 1]));
      return {
        attempt: async () => (last = await attempt()),
        isDone: isSignedIn,
        state: async () => stateOf(begun, await countsOf(stage, userId, rows), grown),
        async anew() {
          await how.fresh(stage, userId);
          last = await (await show())();
        },
        async works() {
          await expectWorth(stage, shop, last);
          expect(isSignedIn(await (await show(used))()), 'spent twice').to.equal(false);
        },
      };
    },
  };
}

const totp = secondFactor('a code of an authenticator app, in a browser that is to be remembered', {
  path: 'totp',
  rows: {},
  fresh: freshSteps,
  code: ({ secret }) => totpCode(secret),
});

const recoveryCode = secondFactor('a recovery code', {
  path: 'recovery-code',
  rows: { told: events('recovery_code.used') },
  fresh: (stage, userId) =>
    stage.lk.sql('update recovery_codes set used_at = null where user_id = $1', [userId]),
  code: ({ codes }) => codes[0]!,
});

const trustedBrowser: Flow = {
  name: 'a browser that is let off the second factor',
  async begin(stage) {
    const { shop } = stage;
    const person = await shared(stage, 'let off', async () => {
      const made = await protectedPerson(stage);
      await freshSteps(stage, made.userId);
      const agent = stage.agent();
      const due = await signInWithPassword(agent, shop, made.email);
      const fields = { code: totpCode(made.secret), remember_device: 'yes' };
      await agent.submit(due, fields, { ending: '/second-factor/totp' });
      return { ...made, cookie: agent.cookie(`lk_trust.${shop}`)! };
    });
    const agent = stage.agent();
    agent.setCookie(`lk_trust.${shop}`, person.cookie);
    const type = async (form: Page) =>
      agent.submit(form, { email: person.email, password: PASSWORD }, { ending: '/password' });
    const form = await begin(agent, shop);
    const count = () => countsOf(stage, person.userId, { succeeded });
    const begun = await count();
    let last: Page | undefined;
    return {
      attempt: async () => (last = await type(form)),
      isDone: isSignedIn,
      state: async () => stateOf(begun, await count(), { succeeded: 1 }),
      async anew() {
        const page = await begin(agent, shop);
        last = isSignedIn(page) ? page : await type(page);
      },
      works: () => expectWorth(stage, shop, last),
    };
  },
};

/** A factor of somebody's own on the way in, with its recovery codes. */
function enrolment(name: string, table: string, made: string, start: Start): Flow {
  return {
    name,
    async begin(stage) {
      const { strict } = stage;
      const { email, userId } = await makeUser(stage.lk, strict);
      const agent = stage.agent();
      const asked = await signInWithPassword(agent, strict, email);
      const attempt = await start(agent, asked);
      const rows = { factors: `${table} where $`, codes: 'recovery_codes where $', made: events(made) };
      const none = { factors: 0, codes: 0, made: 0 };
      let last: Page | undefined;
      return {
        attempt: async () => (last = await attempt()),
        isDone: (page) => codesOn(page).length === 10,
        state: async () =>
          stateOf(none, await countsOf(stage, userId, rows), { factors: 1, codes: 10, made: 1 }),
        // The codes were in an answer that nobody saw: they are made anew, and the old ones are worth nothing.
        async anew(_, again) {
          last = await agent.submit(again, {}, { ending: '/recovery-codes/new' });
          expect(codesOn(last)).to.have.length(10);
        },
        async works() {
          await expectWorth(stage, strict, await agent.submit(last!, {}, { ending: '/recovery-codes' }));
        },
      };
    },
  };
}
type Start = (agent: ReturnType<Stage['agent']>, asked: Page) => Promise<() => Promise<Page>>;

const totpEnrolment = enrolment(
  'setting up an authenticator app on the way in',
  'totp_authenticators',
  'totp.enabled',
  async (agent, asked) => {
    const code = totpCode(secretOn(asked));
    return () => agent.submit(asked, { code }, { ending: '/enrol/totp' });
  },
);
const passkeyEnrolment = enrolment(
  'setting up a passkey as the second factor on the way in',
  'passkeys',
  'passkey.added',
  async (agent, asked) => {
    const page = await agent.open(asked.url.replace('/totp', '/passkey'));
    const credential = new Authenticator(agent.origin).create(offered(page));
    return () => answer(agent, page, credential);
  },
);

const offer: Flow = {
  name: 'taking up the offer of a passkey',
  async begin(stage) {
    const { shop } = stage;
    const { email, userId } = await makeUser(stage.lk, shop);
    await signInWithPassword(stage.agent(), shop, email);
    const agent = stage.agent();
    agent.setCookie('lk_webauthn', '1');
    const page = await signInWithPassword(agent, shop, email);
    const credential = new Authenticator(agent.origin).create(offered(page));
    const rows = { succeeded, passkeys: 'passkeys where $', added: events('passkey.added') };
    const begun = await countsOf(stage, userId, rows);
    let last: Page | undefined;
    return {
      attempt: async () => (last = await answer(agent, page, credential)),
      isDone: isSignedIn,
      state: async () => {
        const now = await countsOf(stage, userId, rows);
        // Whoever signs in anew for want of an answer has one passkey all the same.
        if (now['succeeded'] === begun['succeeded']! + 2) now['succeeded']! -= 1;
        return stateOf(begun, now, { succeeded: 1, passkeys: 1, added: 1 });
      },
      async anew(state) {
        last = await begin(agent, shop);
        // Where the answer that failed had a session in it, nobody is asked for anything.
        if (isSignedIn(last)) return;
        last = await agent.submit(last, { email, password: PASSWORD }, { ending: '/password' });
        // It is offered again where the browser was not told that there is one.
        if (isSignedIn(last)) return;
        last =
          state === 'after'
            ? await agent.submit(last, {}, { ending: '/skip' })
            : await answer(agent, last, new Authenticator(agent.origin).create(offered(last)));
      },
      works: () => expectWorth(stage, shop, last),
    };
  },
};

const foreignHash: Flow = {
  name: 'a first sign-in with the password hash of another system',
  async begin(stage) {
    const { shop, lk } = stage;
    const password_hash = hashSync(PASSWORD, { cost: 4 });
    const { userId, email } = await makeUser(lk, shop, { password: undefined, password_hash });
    const agent = stage.agent();
    const form = await begin(agent, shop);
    let last: Page | undefined;
    return {
      attempt: async () =>
        (last = await agent.submit(form, { email, password: PASSWORD }, { ending: '/password' })),
      isDone: isSignedIn,
      state: async () =>
        stateOf({ succeeded: 0 }, await countsOf(stage, userId, { succeeded }), { succeeded: 1 }),
      async anew() {
        last = await signInWithPassword(stage.agent(), shop, email);
      },
      async works() {
        await expectWorth(stage, shop, last);
        const [row] = await lk.sql('select hash from passwords where user_id = $1', [userId]);
        expect(row!['hash']).to.match(/^\$argon2id\$/);
      },
    };
  },
};

const codeIn = (mail: { text: string }): string => /^(\d{6})$/m.exec(mail.text)![1]!;

const emailCode: Flow = {
  name: 'typing a code that came by mail',
  async begin(stage) {
    const { shop, lk } = stage;
    const { userId, email } = await makeUser(lk, shop, { password: undefined });
    const ask = async (mails: number) => {
      const agent = stage.agent();
      const sent = await askForCode(agent, await begin(agent, shop), email);
      const code = codeIn((await lk.mailsTo(email, mails))[0]!);
      return () => agent.submit(sent, { code }, { ending: '/code' });
    };
    const attempt = await ask(1);
    const count = () => countsOf(stage, userId, { succeeded });
    let last: Page | undefined;
    return {
      attempt: async () => (last = await attempt()),
      isDone: isSignedIn,
      state: async () => stateOf({ succeeded: 0 }, await count(), { succeeded: 1 }),
      async anew() {
        last = await (await ask(2))();
      },
      async works() {
        await expectWorth(stage, shop, last);
        expect(isSignedIn(await attempt()), 'spent twice').to.equal(false);
      },
    };
  },
};

const askingForCode: Flow = {
  name: 'asking for a code by mail',
  async begin(stage) {
    const { shop, lk } = stage;
    const { email } = await makeUser(lk, shop, { password: undefined });
    const agent = stage.agent();
    const start = await begin(agent, shop);
    let last: Page | undefined;
    const isDone = (page: Page): boolean => page.status === 200;
    return {
      attempt: async () => (last = await askForCode(agent, start, email)),
      isDone,
      state: async () => (last && isDone(last) ? 'after' : 'before'),
      async works() {
        // The first request may have queued its mail before it failed: the code of the last one is what counts.
        for (let mails = 1; ; mails += 1) {
          const codes = (await lk.mailsTo(email, mails)).map(codeIn);
          for (const code of codes) {
            const done = await agent.submit(last!, { code }, { ending: '/code' });
            if (isSignedIn(done)) return expectWorth(stage, shop, done);
          }
        }
      },
    };
  },
};

export const signInFlows: readonly Flow[] = [
  passkeySignIn,
  totp,
  recoveryCode,
  trustedBrowser,
  totpEnrolment,
  passkeyEnrolment,
  offer,
  emailCode,
  askingForCode,
  foreignHash,
];
