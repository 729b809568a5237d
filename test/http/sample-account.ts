import { accountPages } from '../../src/surfaces/account/visit.ts';
import { sampleAccountFactorPages } from './sample-factors.ts';
import { sampleOwnPages } from './sample-own-pages.ts';
import { WOLF, type SamplePage } from './sample-pages.ts';

const frame = {
  csrf: 'kJ3t-csrf-sample',
  sign_out_url: '/auth/wolf-banana/logout',
  way_back: null,
};
const session = {
  is_here: false,
  browser: 'Safari',
  os: 'iOS',
  place: 'Lisbon, Portugal',
  address: '81.2.69.142',
  clients: ['Wolf Banana', 'Wolf Banana for phones'],
  since: '2026-11-19T07:12:00Z',
  last_active: '2026-11-21T09:41:00Z',
  end_action: '/end',
};

export function sampleAccountPages(
  say: (key: string, values?: Record<string, string | number>) => string,
): SamplePage[] {
  const sessions = [
    { ...session, is_here: true, browser: 'Firefox', os: 'Windows', place: null, address: '127.0.0.1' },
    session,
    { ...session, browser: null, os: null, place: null, address: null, clients: [] },
  ];
  const page = (name: string, model: object, variant?: string): SamplePage => ({
    view: `account/${name}`,
    ...(variant === undefined ? {} : { variant }),
    model: {
      ...frame,
      pages: accountPages.map((one) => ({
        label: say(`account.tab_${one}`),
        url: `/auth/wolf-banana/account/${one}`,
        is_current: name.startsWith(one.slice(0, -1)),
      })),
      notice: null,
      ...model,
    },
    app: WOLF,
  });
  const passkey = {
    name: 'iCloud Keychain',
    created_at: session.since,
    last_used_at: session.last_active,
    is_synced: true,
    host: null,
    rename_action: '/rename',
    remove_action: '/remove',
  };
  const passkeys = [
    passkey,
    { ...passkey, name: 'YubiKey 5 NFC', is_synced: false, last_used_at: null },
    { ...passkey, name: 'Windows Hello', is_synced: false, host: 'id.wolf.example' },
  ];
  const add_url = '/auth/wolf-banana/account/passkeys/new';
  const making = {
    action: add_url,
    options: '{"challenge":"AAAA","rp":{"id":"id.wolf.example"},"user":{"id":"AAAA"}}',
    back_url: '/auth/wolf-banana/account/passkeys',
  };
  return [
    ...sampleOwnPages(page, say),
    page('passkeys', { passkeys, add_url }),
    page('passkeys', { passkeys: [], add_url, notice: say('account.done_passkey_removed') }, 'empty'),
    page('passkeys', { passkeys, add_url, problem: say('problem.passkey_last') }, 'last'),
    page('passkey-new', making),
    page(
      'passkey-new',
      { ...making, problem: say('problem.passkey_attestation', { app: 'Wolf Banana' }) },
      'refused',
    ),
    ...sampleAccountFactorPages(page, say),
    page('sessions', { sessions, has_others: true, end_others_action: '/end-others' }),
    page(
      'sessions',
      { sessions: sessions.slice(0, 1), has_others: false, notice: say('account.done_others') },
      'alone',
    ),
    page('apps', {
      entries: [
        {
          name: 'Wolf Banana',
          since: session.since,
          is_offline: false,
          may: [say('scope.profile.title')],
          end_action: '/a',
        },
        {
          name: 'Wolf Banana for phones',
          since: session.since,
          is_offline: true,
          may: [say('scope.email.title')],
          end_action: '/b',
        },
      ],
    }),
    page('apps', { entries: [], notice: say('account.done_revoked') }, 'empty'),
    {
      view: 'session/sign-out',
      variant: 'offline',
      model: {
        app_id: 'wolf-banana',
        action: '/logout/confirm',
        xsrf: 'x',
        csrf: null,
        user_email: null,
        offline: ['Wolf Banana for phones', 'Calendar sync'],
      },
      app: WOLF,
    },
  ];
}
