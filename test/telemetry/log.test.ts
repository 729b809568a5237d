import { expect } from 'chai';
import supertest from 'supertest';
import { Secret } from '../../src/config/secret.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { redactedUrl } from '../../src/telemetry/redact.ts';
import { sampleServer } from '../http/sample-server.ts';

const CANARY = 'cAnArY0_kJ3tQ9wZ8xV7uT6sR5qP4oN3mL2kJ1hG0fD';

function logged(format: 'json' | 'text', write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(
    createLogger(
      { logLevel: 'trace', logFormat: format },
      { write: (line: string) => void lines.push(line) },
    ),
  );
  return lines.join('');
}

describe('the log', () => {
  for (const format of ['json', 'text'] as const) {
    for (const name of [
      'password',
      'new_password',
      'newPassword',
      'code',
      'user_code',
      'token',
      'access_token',
      'refreshToken',
      'id_token_hint',
      'cookie',
      'set-cookie',
      'authorization',
      'client_secret',
      'clientSecret',
      'code_verifier',
      'state',
      'nonce',
      'link',
      'api_key',
      'privateJwk',
      'otp',
      'SAMLResponse',
      'login_hint',
    ]) {
      it(`hides a field named ${name}, at any depth, in ${format}`, () => {
        const short = `canary ${name}`;
        const text = logged(format, (log) => {
          log.info({ [name]: short }, 'x');
          log.info({ a: { b: [{ [name]: short }] } }, 'x');
          log.child({ [name]: short }).info({}, 'x');
          log.info({ headers: { [name]: [short] } }, 'x');
        });
        expect(text).not.to.include('canary');
      });
    }

    it(`hides in texts what looks like a secret, in ${format}`, () => {
      const text = logged(format, (log) => {
        for (const said of [
          `Bearer ${CANARY}`,
          `got ${CANARY} from`,
          `redis://user:canary@host`,
          `https://x/cb?code=canary&state=canary2`,
          `http://x/auth/a/interaction/u/magic-link/canary1`,
          `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.canary-signature`,
        ]) {
          log.info({ note: said }, said);
          log.error({ err: new Error(said, { cause: new Error(said) }) }, 'failed');
        }
      });
      expect(text.toLowerCase()).not.to.include('canary');
    });
  }

  it('hides a Secret under any name', () => {
    expect(logged('json', (log) => log.info({ innocent: new Secret('canary') }, 'x'))).to.include(
      '"innocent":"[secret]"',
    );
  });

  it('keeps what helps: codes of errors, ids, counts', () => {
    const error = Object.assign(new Error('duplicate key'), {
      code: '23505',
      detail: 'Key (value)=(canary@example.com)',
      constraint: 'identifiers_pkey',
    });
    const entry = JSON.parse(
      logged('json', (log) =>
        log.warn(
          {
            err: error,
            problem: 'users.email_taken',
            user_id: 'usr_0190f7a0b1c27d3e8f90123456789abc',
            attempts: 3,
            tokens: 2,
          },
          'x',
        ),
      ),
    );
    expect(entry).to.deep.include({
      level: 'warn',
      msg: 'x',
      problem: 'users.email_taken',
      user_id: 'usr_0190f7a0b1c27d3e8f90123456789abc',
      attempts: 3,
      tokens: 2,
    });
    expect(entry.err).to.include({ code: '23505', constraint: 'identifiers_pkey' });
    expect(JSON.stringify(entry)).not.to.include('canary');
  });

  it('can not be made to hold a forged line', () => {
    const text = logged('text', (log) =>
      log.info({ user_agent: 'x\n12:00:00 fatal all is lost', url: '/\u001b[2J' }, 'a\nb'),
    );
    expect(text.trimEnd().split('\n')).to.have.length(1);
    expect(text).not.to.include('\u001b');
  });
});

describe('the access log', () => {
  for (const path of [
    `/auth/wolf/interaction/u1/magic-link/${CANARY}`,
    `/auth/wolf/magic-link/${CANARY}`,
    `/auth/wolf/reset/canary1`,
    `/auth/wolf/sign-up/canary1/confirm`,
    `/auth/wolf/invitation/${CANARY}`,
    `/somewhere/new/${CANARY}`,
    `/authorize/${CANARY}`,
    '/auth/wolf/callback/google?code=canary&state=canary',
    '/logout?id_token_hint=canary&post_logout_redirect_uri=https://x/canary',
    '/authorize?client_id=wolf&state=canary&nonce=canary&login_hint=canary@example.com&code_challenge=canary',
    '/x?canary',
    '/x?unheard_of=canary',
  ]) {
    it(`hides the secrets of ${path}`, () =>
      expect(redactedUrl(path).toLowerCase()).not.to.include('canary'));
  }

  it('keeps what is harmless', () => {
    expect(
      redactedUrl('/auth/wolf-banana/authorize?client_id=wolf-banana&response_type=code&scope=openid'),
    ).to.equal('/auth/wolf-banana/authorize?client_id=wolf-banana&response_type=code&scope=openid');
    expect(redactedUrl('/api/v1/apps/wolf/users/usr_0190f7a0b1c27d3e8f90123456789abc')).to.equal(
      '/api/v1/apps/wolf/users/usr_0190f7a0b1c27d3e8f90123456789abc',
    );
    expect(redactedUrl('/auth/wolf/.well-known/openid-configuration')).to.equal(
      '/auth/wolf/.well-known/openid-configuration',
    );
    expect(redactedUrl('/auth/wolf/sign-up/sent')).to.equal('/auth/wolf/sign-up/sent');
  });

  it('keeps what is harmless also in the line that is written', () => {
    const url = redactedUrl('/authorize?client_id=wolf&code_challenge_method=S256&state=canary');
    expect(logged('json', (log) => log.info({ url }, 'request'))).to.include(
      '/authorize?client_id=wolf&code_challenge_method=S256&state=[secret]',
    );
  });

  it('has one line per request, with neither cookies nor headers of it', async () => {
    const { app, lines } = sampleServer((ctx) => {
      ctx.body = 'x';
    });
    await supertest(app.callback())
      .get(`/reset/${CANARY}?token=canary`)
      .set('cookie', 'lk=canary')
      .set('authorization', 'Bearer canary')
      .set('user-agent', 'Tester')
      .expect(200);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lines).to.have.length(1);
    expect(lines[0]!.toLowerCase()).not.to.include('canary');
    expect(JSON.parse(lines[0]!)).to.include({
      msg: 'request',
      method: 'GET',
      status: 200,
      url: '/reset/[secret]?token=[secret]',
      address: '127.0.0.1',
      user_agent: 'Tester',
    });
  });
});
