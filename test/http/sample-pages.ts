import { sampleAccountPages } from './sample-account.ts';
import { sampleFactorPages } from './sample-factors.ts';
import type { PageApp } from '../../src/http/views.ts';
import { scopeWords } from '../../src/http/messages.ts';

export type SamplePage = { view: string; variant?: string; model: object; app?: PageApp };

export const WOLF: PageApp = { app_id: 'wolf-banana', name: 'Wolf Banana', accent: '#f2b705' };
export const MEADOW: PageApp = { app_id: 'meadow', name: 'Meadow Notes', accent: '#2f4fd8' };
/** Pictures are answered by tools/screenshots.ts. */
export const ORBIT: PageApp = {
  app_id: 'orbit',
  name: 'Orbit',
  accent: '#5b2ee5',
  logo: { url: '/sample-logo.png', width: 96, height: 96 },
};
export const FJORD: PageApp = {
  app_id: 'fjord',
  name: 'Fjord Tickets',
  accent: '#b3261e',
  logo: { url: '/sample-name.png', width: 240, height: 60 },
};
export const PLAIN: PageApp = { app_id: 'atelier', name: 'Atelier Nord', accent: null };

const csrf = 'kJ3t-csrf-sample';
const email = 'mara.lindqvist@example.com';
const request = {
  code: '482913',
  place: 'Lisbon, Portugal',
  device: { browser: 'Firefox', os: 'Windows' },
  requested_at: '2026-11-21T09:41:00Z',
  refuse_action: '/refuse',
  csrf,
};
const signIn = {
  action: '/sign-in',
  csrf,
  email: '',
  show_password: true,
  show_magic_link: true,
  magic_link_action: '/magic-link',
  email_code_action: null,
  passkey_action: '/passkey',
  passkey_options: '{"challenge":"AAAA","rpId":"wolf.example"}',
  sign_up_url: '/sign-up',
  forgot_url: '/recovery',
  cancel_action: '/cancel',
  client_name: 'Wolf Banana',
  problem: null,
  notice: null,
};
const form = { action: '/here', csrf, email, min_length: 10, problem: null };

/** Built per language because problems, notices and scopes arrive already translated. */
export function samplePages(
  say: (key: string, values?: Record<string, string | number>) => string,
  locale = 'en',
): SamplePage[] {
  return [
    { view: 'sign-in/sign-in', model: signIn, app: WOLF },
    {
      view: 'device/enter',
      model: { action: '/device', xsrf: csrf, csrf, user_code: 'BCDF-GHJK', problem: null },
      app: WOLF,
    },
    {
      view: 'device/enter',
      variant: 'problem',
      model: { action: '/device', xsrf: '', csrf, user_code: '', problem: say('problem.device_code') },
    },
    {
      view: 'device/confirm',
      model: {
        ...request,
        action: '/device',
        client_name: 'Wolf TV',
        user_email: email,
        code: 'BCDF-GHJK',
        place: '203.0.113.7',
        device: { browser: 'Chrome', os: 'Android' },
      },
      app: WOLF,
    },
    {
      view: 'sign-in/offer-passkey',
      model: {
        action: '/offer/passkey',
        csrf,
        options: '{"challenge":"AAAA","rp":{"id":"wolf.example"},"user":{"id":"AAAA"}}',
        skip_action: '/offer/passkey/skip',
        problem: null,
        notice: null,
      },
      app: WOLF,
    },
    { view: 'device/done', model: {}, app: WOLF },
    { view: 'device/denied', model: {}, app: MEADOW },
    { view: 'sign-in/sign-in', variant: 'logo', model: { ...signIn, client_name: 'Orbit' }, app: ORBIT },
    {
      view: 'sign-in/sign-in',
      variant: 'name',
      model: { ...signIn, client_name: 'Fjord Tickets' },
      app: FJORD,
    },
    {
      view: 'sign-in/sign-in',
      variant: 'again',
      model: { ...signIn, email, last_method: 'magic_link' },
      app: MEADOW,
    },
    {
      view: 'sign-in/sign-in',
      variant: 'problem',
      model: { ...signIn, email, problem: say('problem.credentials') },
      app: WOLF,
    },
    {
      view: 'sign-in/sign-in',
      variant: 'link-only',
      model: {
        ...signIn,
        client_name: 'Meadow Notes',
        show_password: false,
        notice: say('account.done_others'),
      },
      app: MEADOW,
    },
    {
      view: 'sign-in/magic-link/sent',
      model: {
        email,
        csrf,
        code_action: '/code',
        resend_action: '/resend',
        back_url: '/back',
        problem: null,
      },
      app: WOLF,
    },
    {
      view: 'sign-in/magic-link/sent',
      variant: 'problem',
      model: {
        email,
        csrf,
        code_action: '/code',
        resend_action: '/resend',
        back_url: '/back',
        problem: say('problem.code'),
      },
      app: PLAIN,
    },
    { view: 'sign-in/magic-link/confirm', model: { action: '/confirm', csrf, email }, app: WOLF },
    {
      view: 'sign-in/email-code/sent',
      model: { email, csrf, code_action: '/code', resend_action: '/again', back_url: '/back', problem: null },
      app: WOLF,
    },
    {
      view: 'sign-in/email-code/sent',
      variant: 'problem',
      model: {
        email,
        csrf,
        code_action: '/code',
        resend_action: '/again',
        back_url: '/back',
        problem: say('problem.email_code'),
      },
      app: MEADOW,
    },
    {
      view: 'sign-in/sign-in',
      variant: 'every-way',
      model: { ...signIn, email_code_action: '/email-code' },
      app: WOLF,
    },
    {
      view: 'sign-in/sign-in',
      variant: 'code-only',
      model: {
        ...signIn,
        show_password: false,
        show_magic_link: false,
        email_code_action: '/email-code',
        forgot_url: null,
      },
      app: MEADOW,
    },
    { view: 'sign-in/magic-link/other-browser', model: request, app: WOLF },
    { view: 'sign-in/magic-link/refused', model: {}, app: WOLF },
    { view: 'sign-in/link-dead', model: { start_url: 'https://wolf.example/' }, app: WOLF },
    { view: 'sign-in/link-dead', variant: 'here', model: { again_url: '/sign-in' }, app: MEADOW },
    { view: 'sign-up/sign-up', model: { ...form, email: '', sign_in_url: '/sign-in' }, app: PLAIN },
    {
      view: 'sign-up/sign-up',
      variant: 'problem',
      model: {
        ...form,
        sign_in_url: '/sign-in',
        problem: say('problem.password_short', { min: 10 }),
        problem_field: 'password',
      },
      app: MEADOW,
    },
    {
      view: 'sign-up/sent',
      model: { email, csrf, code_action: '/code', back_url: '/back', problem: null },
      app: PLAIN,
    },
    { view: 'sign-up/confirm', model: form, app: PLAIN },
    { view: 'sign-up/other-browser', model: request, app: PLAIN },
    { view: 'sign-up/confirm-with-password', model: form, app: PLAIN },
    { view: 'sign-up/done', model: { start_url: null }, app: PLAIN },
    { view: 'recovery/request', model: { ...form, sign_in_url: '/sign-in' }, app: MEADOW },
    { view: 'recovery/sent', model: { email, back_url: '/back' }, app: MEADOW },
    { view: 'recovery/new-password', model: form, app: MEADOW },
    { view: 'recovery/done', model: { start_url: 'https://meadow.example/' }, app: MEADOW },
    { view: 'invitation/accept', model: form, app: MEADOW },
    { view: 'invitation/done', model: { start_url: 'https://meadow.example/' }, app: MEADOW },
    {
      view: 'consent/consent',
      model: {
        action: '/consent',
        csrf,
        client_name: 'Meadow Calendar',
        user_email: email,
        scopes: scopeWords(locale, ['openid', 'profile', 'email', 'offline_access', 'calendar:write']),
        privacy_url: 'https://meadow.example/privacy',
        terms_url: 'https://meadow.example/terms',
      },
      app: MEADOW,
    },
    {
      view: 'consent/consent',
      variant: 'introduced',
      model: {
        action: '/consent',
        csrf,
        client_name: 'Meadow Calendar',
        introduced: { published_at: 'agent.example', leads_to: 'agent.example' },
        user_email: email,
        scopes: scopeWords(locale, ['openid', 'profile', 'email', 'offline_access', 'calendar:write']),
        privacy_url: 'https://meadow.example/privacy',
        terms_url: 'https://meadow.example/terms',
      },
      app: MEADOW,
    },
    {
      view: 'session/sign-out',
      model: {
        app_id: 'wolf-banana',
        action: '/logout/confirm',
        xsrf: 'x',
        csrf: null,
        user_email: email,
        offline: [],
      },
      app: WOLF,
    },
    ...sampleAccountPages(say),
    ...sampleFactorPages(say),
    { view: 'session/signed-out', model: { return_url: 'https://wolf.example/', stayed: false }, app: WOLF },
    { view: 'session/signed-out', variant: 'stayed', model: { return_url: null, stayed: true }, app: WOLF },
    {
      view: 'session/sign-out-list',
      model: {
        apps: ['Wolf Banana', 'Meadow Notes', 'Atelier Nord'].map((name, i) => ({
          app_id: `app-${i}`,
          name,
          action: `/logout/${i}`,
        })),
      },
    },
    { view: 'session/sign-out-list', variant: 'empty', model: { apps: [] } },
    {
      view: 'error/problem',
      model: {
        status: 400,
        title: say('expired.title'),
        message: say('problem.form_expired'),
        request_id: '0193f2c4-7b1e-7a52',
        start_url: null,
        again_url: '',
      },
    },
    { view: 'error/not-found', model: {} },
    { view: 'error/expired', model: { start_url: 'https://wolf.example/' }, app: WOLF },
    { view: 'error/unavailable', model: { retry_after: 5 } },
    { view: 'error/unavailable', variant: 'busy', model: { retry_after: 5, busy: true }, app: WOLF },
    ...developerPages(),
  ];
}

const header = { alg: 'RS256', typ: 'JWT', kid: 'k-2026-11' };
const claims = {
  iss: 'http://localhost:3000',
  sub: 'usr_0193f2c4-7b1e-7a52-9c1d-3f6c8d2b7e10',
  aud: 'demo',
  app_id: 'demo',
  amr: ['pwd'],
  auth_time: 1795340400,
  exp: 1795344000,
  email_verified: true,
};
const raw = `eyJhbGciOiJSUzI1NiJ9.${'Q29udHJhcnk'.repeat(24)}.c2lnbmF0dXJl`;

function developerPages(): SamplePage[] {
  return [
    {
      view: 'home/landing',
      model: {
        base_url: 'http://localhost:3000',
        development: true,
        links: {
          playground_url: '/dev/playground',
          inbox_url: '/dev/inbox',
          docs_url: '/docs',
          discovery_url: '/.well-known/openid-configuration',
          console_url: '/console/',
        },
      },
    },
    {
      view: 'dev/inbox',
      model: {
        messages: [
          {
            id: 'msg_2',
            channel: 'mail',
            to: email,
            subject: 'Your sign-in link for Wolf Banana',
            text: 'Hello,\n\nUse the button to sign in.\n\nhttp://localhost:3000/auth/wolf-banana/magic-link?token=3q2-7wEAAAC\n',
            html_url: '/dev/inbox/msg_2',
            sent_at: '2026-11-21T09:41:00Z',
          },
          {
            id: 'msg_1',
            channel: 'sms',
            to: '+351 900 000 000',
            subject: null,
            text: 'Your code is 482913.',
            html_url: null,
            sent_at: '2026-11-21T09:40:00Z',
          },
        ],
      },
    },
    { view: 'dev/inbox', variant: 'empty', model: { messages: [] } },
    {
      view: 'dev/playground/start',
      model: {
        action: '/dev/playground',
        csrf,
        app_name: 'Demo',
        client_id: 'demo',
        redirect_uri: 'http://localhost:3000/dev/playground/callback',
        scope: 'openid profile email offline_access',
        problem: null,
        issuers: [
          { value: 'shared', url: 'http://localhost:3000', checked: true },
          { value: 'own', url: 'http://localhost:3000/auth/demo', checked: false },
        ],
      },
    },
    {
      view: 'dev/playground/tokens',
      model: {
        csrf,
        email,
        issuer: 'shared',
        issuer_url: 'http://localhost:3000',
        problem: null,
        again_url: '/dev/playground',
        id_token: { header, claims, raw },
        access_token: {
          header: { ...header, typ: 'at+jwt' },
          claims: { ...claims, scope: 'openid profile email', client_id: 'demo', jti: 'pT3' },
          raw,
        },
        refresh_token: `rt_${'a1b2c3'.repeat(9)}`,
        actions: { refresh: '/r', userinfo: '/u', introspect: '/i', logout: '/l' },
        result: { title: 'Userinfo', status: 200, body: { sub: claims.sub, email, email_verified: true } },
      },
    },
  ];
}
