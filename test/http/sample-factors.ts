import { newRecoveryCode } from '../../src/sign-in/recovery-codes/recovery-code.ts';
import { setupModel } from '../../src/sign-in/totp/setup-model.ts';
import { MEADOW, type SamplePage, WOLF } from './sample-pages.ts';

const account = 'mara.lindqvist@example.com';
const csrf = 'kJ3t-csrf-sample';
const codes = Array.from({ length: 10 }, newRecoveryCode);
const setup = {
  ...setupModel({ appName: 'Wolf Banana', account, seed: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' }),
  action: '/enrol/totp',
  problem: null,
};

type Say = (key: string, values?: Record<string, string | number>) => string;
type AccountPage = (name: string, model: object, variant?: string) => SamplePage;

/** The pages between the first proof and the app. */
export function sampleFactorPages(say: Say): SamplePage[] {
  const ways = {
    csrf,
    email: account,
    start_over_action: '/start-over',
    cancel_action: '/cancel',
    client_name: 'Wolf Banana',
  };
  const other = [{ url: '/second-factor/recovery-code', label: say('second_factor.use_recovery_code') }];
  const show = { ...ways, action: '/second-factor/totp', others: other, trust_days: 30, problem: null };
  const enrol = { ...ways, ...setup, others: [], later_action: null, later_until: null };
  const shown = { csrf, codes, account, continue_action: '/continue', renew_action: '/new' };
  return [
    { view: 'second-factor/totp', model: show, app: WOLF },
    {
      view: 'second-factor/totp',
      variant: 'problem',
      model: { ...show, trust_days: 0, problem: say('problem.totp') },
      app: MEADOW,
    },
    {
      view: 'second-factor/recovery-code',
      model: { ...show, others: [{ url: '/second-factor/totp', label: say('second_factor.use_totp') }] },
      app: WOLF,
    },
    {
      view: 'second-factor/passkey',
      model: {
        ...show,
        options: '{"challenge":"AAAA","rpId":"id.wolf.example"}',
        others: [{ url: '/second-factor/totp', label: say('second_factor.use_totp') }, ...other],
        problem: say('problem.passkey_second', { app: 'Wolf Banana' }),
      },
      app: WOLF,
    },
    {
      view: 'second-factor/enrol-passkey',
      model: {
        ...enrol,
        options: '{"challenge":"AAAA","rp":{"id":"id.wolf.example"},"user":{"id":"AAAA"}}',
        others: [{ url: '/enrol/totp', label: say('second_factor.enrol_totp') }],
        later_action: '/later',
        later_until: '2026-11-28T09:41:00Z',
      },
      app: WOLF,
    },
    { view: 'second-factor/enrol-totp', model: enrol, app: WOLF },
    {
      view: 'second-factor/enrol-totp',
      variant: 'later',
      model: {
        ...enrol,
        later_action: '/later',
        later_until: '2026-11-28T09:41:00Z',
        problem: say('problem.totp_setup'),
      },
      app: MEADOW,
    },
    { view: 'second-factor/recovery-codes', model: shown, app: WOLF },
    { view: 'second-factor/recovery-codes', variant: 'gone', model: { ...shown, codes: [] }, app: WOLF },
  ];
}

/** What of it is in the account pages. */
export function sampleAccountFactorPages(page: AccountPage, say: Say): SamplePage[] {
  const since = '2026-11-19T07:12:00Z';
  const device = {
    name: 'Firefox on Windows',
    is_here: true,
    since,
    last_used: since,
    until: '2026-12-19T07:12:00Z',
    rename_action: '/rename',
    forget_action: '/forget',
  };
  const overview = {
    is_off: false,
    totp: { since, last_used: '2026-11-21T09:41:00Z', remove_action: '/remove' },
    totp_url: '/auth/wolf-banana/account/factors/totp',
    codes: { remaining: 9, renew_action: '/renew' },
    devices: [device, { ...device, name: 'Kitchen tablet', is_here: false }],
    problem: null,
  };
  const none = { ...overview, totp: undefined, codes: null, devices: [] };
  const back_url = '/auth/wolf-banana/account/factors';
  return [
    page('factors', overview),
    page(
      'factors',
      { ...overview, problem: say('account.totp_required', { app: 'Wolf Banana' }) },
      'required',
    ),
    page('factors', none, 'none'),
    page('factors', { ...none, is_off: true }, 'off'),
    page('factor-totp', { ...setup, replaces: true, back_url }),
    page('factor-codes', { codes, account, back_url }),
  ];
}
