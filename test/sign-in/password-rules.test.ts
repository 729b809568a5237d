import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashSync } from '@node-rs/bcrypt';
import { expect } from 'chai';
import { isInFile, requireBreachedFile } from '../../src/sign-in/passwords/breached/file.ts';
import type { Page } from '../support/agent.ts';
import { linkIn, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { begin, freshEmail, isSignedIn, makeApp, makeUser, signInWithPassword } from './people.ts';

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase();
const BREACHED = 'violet harbour leaked lamps';
const SOUND = 'quiet orchard seventeen kites';

/** A range service: what it was asked, and how it answers. */
class RangeService {
  asked: { path: string; padding: string | undefined }[] = [];
  how: 'well' | 'with an error' | 'with something else' = 'well';
  #server: Server = createServer((request, response) => {
    this.asked.push({ path: request.url ?? '', padding: request.headers['add-padding'] as string });
    if (this.how === 'with an error') response.writeHead(503);
    const ranges = [`${sha1(BREACHED).slice(5)}:12`, `${sha1(SOUND).slice(5)}:0`, `${'A'.repeat(35)}:3`];
    response.end(this.how === 'with something else' ? '<html>' : ranges.join('\r\n'));
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('a new password', () => {
  const service = new RangeService();
  let folder: string;
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    folder = mkdtempSync(join(tmpdir(), 'latchkey-breached-'));
    const file = join(folder, 'digests.txt');
    writeFileSync(file, `${sha1(BREACHED)}:12\n`);
    const at = await service.start();
    const env = {
      BREACHED_PASSWORDS_FILE: file,
      BREACHED_PASSWORDS_URL: `http://${at}`,
      OUTBOUND_ALLOWED_HOSTS: at,
    };
    lk = await startTestLatchkey({ env });
    appId = await makeApp(lk);
  });
  after(async () => {
    await lk.stop();
    service.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const settings = (change: Record<string, unknown>) =>
    lk.admin('PATCH', `/apps/${appId}`, { settings: change });
  const signUp = async (password: string, email = freshEmail()): Promise<Page> => {
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const form = await agent.open(`${new URL(page.url).pathname}/sign-up`);
    return agent.submit(form, { email, password }, { ending: '/sign-up' });
  };
  const problemOn = (page: Page) =>
    /id="problem"[^>]*>\s*(?:<[^>]+>\s*)*([^<]+)/.exec(page.html)?.[1]?.trim() ?? '';
  const lookups = async (result: string): Promise<number> => {
    const text = await (await fetch(`${lk.baseUrl}/metrics`)).text();
    return Number(
      new RegExp(`breached_password_checks_total\\{result="${result}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
    );
  };

  it('#47 is refused with the reason, or taken, by its length in characters and by nothing it is composed of', async () => {
    expect(problemOn(await signUp('violet harbour'))).to.match(/at least 15 characters/);
    expect(problemOn(await signUp('ä🦊'.repeat(7)))).to.match(/at least 15 characters/);
    expect(problemOn(await signUp('Password1!Password1'))).to.match(/Too many people/);
    expect(problemOn(await signUp('trustno1trustno1'))).to.match(/Too many people/);
    expect(problemOn(await signUp('mara-lind-was-here', 'mara-lind@example.com'))).to.match(
      /Your name, your address/,
    );
    expect(problemOn(await signUp('the Corner Shop door'))).to.match(/name of this app/);
    expect(problemOn(await signUp('x'.repeat(129)))).to.match(/at most 128 characters/);
    for (const sound of [
      SOUND,
      'nur kleine wörter hier',
      '🦊 🐙 🦉 🐝 🦎 🐋 🦔 🐞',
      `${'a b c d '.repeat(15)}12345678`,
    ])
      expect(new URL((await signUp(sound)).url).pathname, sound).to.match(/\/sign-up\/sent$/);
  });

  it('#47 of 80 characters is needed whole', async () => {
    const long = 'quiet orchard, seventeen kites above the harbour wall at noon; '.repeat(2).slice(0, 80);
    const { email } = await makeUser(lk, appId, { password: long });
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, long.slice(0, 72)))).to.equal(false);
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, long))).to.equal(true);
  });

  it('may be short where everybody has a second factor, and is then still none that people take most', async () => {
    await settings({ second_factor: 'required' });
    expect(problemOn(await signUp('kites 7'))).to.match(/at least 8 characters/);
    expect(problemOn(await signUp('Sunshine99'))).to.match(/Too many people/);
    expect((await signUp('kites 17 ab')).url).to.match(/\/sent$/);
    await settings({ second_factor: 'optional', password_min_length: 10 });
    expect(problemOn(await signUp('kites 17a'))).to.match(/at least 10 characters/);
    await settings({ password_min_length: null });
    expect(problemOn(await signUp('kites 17 ab'))).to.match(/at least 15 characters/);
  });

  it('with the name of its owner is refused where the name is known', async () => {
    const { email } = await makeUser(lk, appId, {
      password: undefined,
      profile: { name: 'Ottoline Färber', nickname: 'Otti' },
      send_invitation: true,
    });
    const agent = lk.agent();
    const page = await agent.open(linkIn((await lk.mailsTo(email))[0]!));
    for (const password of ['färber among the kites', 'OTTOLINE flies kites', 'kites for otti again']) {
      const answer = await agent.submit(page, { new_password: password });
      expect([answer.status, problemOn(answer)], password).to.deep.equal([
        400,
        problemOn(await signUp('the Corner Shop door')),
      ]);
    }
    expect((await agent.submit(page, { new_password: SOUND })).status).to.equal(200);
  });

  it('that is known from a breach is refused by the file, without a word to anybody', async () => {
    service.asked = [];
    expect(problemOn(await signUp(BREACHED))).to.match(/data breach/);
    expect((await signUp(SOUND)).url).to.match(/\/sent$/);
    await settings({ breached_passwords: 'off' });
    expect((await signUp(BREACHED)).url).to.match(/\/sent$/);
    expect(service.asked).to.deep.equal([]);
  });

  it('is looked up by five digits of a padded range, and allowed and counted where that fails', async () => {
    await settings({ breached_passwords: 'range_api' });
    service.asked = [];
    expect(problemOn(await signUp(BREACHED))).to.match(/data breach/);
    // Padding is counted zero times.
    expect((await signUp(SOUND)).url).to.match(/\/sent$/);
    expect(service.asked).to.deep.equal([
      { path: `/range/${sha1(BREACHED).slice(0, 5)}`, padding: 'true' },
      { path: `/range/${sha1(SOUND).slice(0, 5)}`, padding: 'true' },
    ]);
    const failed = await lookups('failed');
    for (const how of ['with an error', 'with something else'] as const) {
      service.how = how;
      expect((await signUp(BREACHED)).url, how).to.match(/\/sent$/);
    }
    expect(await lookups('failed')).to.equal(failed + 2);
    expect(await lookups('breached')).to.be.greaterThan(1);
  });

  it('that an operator sets is judged like one that its owner chooses, and an imported hash is not', async () => {
    const email = `mara.lind+${freshEmail()}`;
    const profile = { given_name: 'Wilhelmina', name: 'Wilhelmina Lind' };
    const bad: [string, string][] = [
      ['too short', 'users.password_too_short'],
      [SOUND.repeat(5), 'users.password_too_long'],
      ['wilhelmina has nine kites', 'users.password_personal'],
      ['the corner shop round here', 'users.password_personal'],
      ['P4ssw0rd-P4ssw0rd-1', 'users.password_common'],
      [BREACHED, 'users.password_breached'],
    ];
    const users = `/apps/${await makeApp(lk)}/users`;
    for (const [password, code] of bad) {
      const { status, body } = await lk.admin('POST', users, { email, profile, password });
      expect([status, body.code, body.field]).to.deep.equal([400, code, 'password']);
    }
    const made = await lk.admin('POST', users, { email, profile, password: SOUND });
    expect(made.status).to.equal(201);
    const at = `${users}/${made.body.user_id}`;
    for (const [password, code] of bad) {
      const { status, body } = await lk.admin('PATCH', at, { password });
      expect([status, body.code, body.field]).to.deep.equal([400, code, 'password']);
    }
    // By what will be known of the person when it is set.
    const renamed = { profile: { given_name: 'Seventeen', name: null }, password: SOUND };
    expect((await lk.admin('PATCH', at, renamed)).body.code).to.equal('users.password_personal');
    expect((await lk.admin('PATCH', at, { password: 'brass doorbells, all of them' })).status).to.equal(200);
    expect((await lk.admin('PATCH', `${users}/usr_nobody`, { password: SOUND })).status).to.equal(404);
    const lax = await makeApp(lk, { breached_passwords: 'off', password_min_length: 8 });
    expect((await lk.admin('POST', `/apps/${lax}/users`, { email, password: BREACHED })).status).to.equal(
      201,
    );
    const imported = { email: freshEmail(), password_hash: hashSync('1234', { cost: 4 }) };
    expect((await lk.admin('POST', users, imported)).status).to.equal(201);
  });
});

describe('a file of digests', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-digests-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const written = (text: string): string => {
    const path = join(folder, 'digests.txt');
    writeFileSync(path, text);
    return path;
  };
  const digests = Array.from({ length: 3000 }, (_, i) => sha1(`password ${i}`)).sort();

  for (const [name, write] of Object.entries({
    'whole digests with counts': (digest: string, i: number) => `${digest}:${i}`,
    'whole digests in lower case': (digest: string) => digest.toLowerCase(),
    'how digests begin': (digest: string) => digest.slice(0, 16),
  })) {
    for (const [end, text] of Object.entries({ '\\n': '\n', '\\r\\n': '\r\n' })) {
      it(`of ${name}, lines ending in ${end}, is searched from its first line to its last`, async () => {
        const path = written(
          digests
            .filter((_, i) => i % 2 === 0)
            .map(write)
            .join(text) + text,
        );
        await requireBreachedFile(path);
        for (const at of [0, 1, 2, 3, 1498, 1499, 1500, 1501, 2996, 2997, 2998, 2999])
          expect(await isInFile(path, digests[at]!), String(at)).to.equal(at % 2 === 0);
        expect(await isInFile(path, '0'.repeat(40))).to.equal(false);
        expect(await isInFile(path, 'F'.repeat(40))).to.equal(false);
      });
    }
  }

  it('that is none stops the start', async () => {
    for (const text of ['', 'password\n', '5BAA6\n', '{"a": 1}\n']) {
      const error = await requireBreachedFile(written(text)).catch((reason: unknown) => reason);
      expect(String(error), JSON.stringify(text)).to.match(/BREACHED_PASSWORDS_FILE/);
    }
    const error = await requireBreachedFile(join(folder, 'nowhere')).catch((reason: unknown) => reason);
    expect(String(error)).to.match(/BREACHED_PASSWORDS_FILE/);
  });
});
