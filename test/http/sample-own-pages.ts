import { type SamplePage, WOLF } from './sample-pages.ts';

type MakePage = (name: string, model: object, variant?: string) => SamplePage;

const wayBack = {
  name: 'Wolf Banana',
  url: 'https://wolf.example/settings',
  fields: { client_id: 'wolf-banana', return_to: 'https://wolf.example/settings' },
};

/** Of the account pages, those on which people change what is theirs. */
export function sampleOwnPages(
  page: MakePage,
  say: (key: string, values?: Record<string, string | number>) => string,
): SamplePage[] {
  const text = (name: string, value: string, fault: string | null = null) => ({
    name,
    label: say(`profile.${name}`),
    autocomplete: name.replace('_', '-'),
    value,
    fault,
  });
  const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')].map((value) => ({ value, label: value }));
  const choices = [
    { ...text('locale', 'pt'), options: [{ value: 'pt', label: 'português' }] },
    { ...text('zoneinfo', 'Europe/Lisbon'), options: zones },
  ];
  const profile = {
    action: '/profile',
    texts: [
      text('name', 'Mara Lindqvist'),
      text('given_name', 'Mara'),
      text('family_name', ''),
      text('nickname', ''),
    ],
    choices,
    problem: null,
  };
  const identifiers = {
    current: 'mara.lindqvist@example.com',
    is_verified: true,
    phone: '+351211234567',
    pending: null,
    email: '',
    action: '/identifiers',
    code_action: '/code',
    cancel_action: '/cancel',
    prove_url: null,
    problem: null,
    problem_field: undefined,
  };
  const event = {
    what: say('activity.new_browser'),
    is_suspect: true,
    is_by_admin: false,
    browser: 'Safari',
    os: 'iOS',
    place: 'Lisbon, Portugal',
    address: '81.2.69.142',
    at: '2026-11-21T09:41:00Z',
  };
  const quiet = { ...event, is_suspect: false };
  const more = [
    { ...event, what: say('activity.password_changed'), place: null },
    { ...quiet, what: say('activity.copied') },
    { ...quiet, what: say('activity.details_changed'), is_by_admin: true },
    { ...quiet, what: say('activity.created'), browser: null, os: null, place: null, address: null },
  ];
  const activity = {
    earlier_url: '/activity?after=x',
    newest_url: null,
    end_others_action: '/end-others',
    password_url: '/password',
  };
  const data = {
    email: 'mara.lindqvist@example.com',
    typed: '',
    download_action: '/download',
    delete_action: '/delete',
    prove_url: null,
    problem: null,
  };
  const pending = { email: 'mara@wolf.example', until: '2026-11-22T09:41:00Z' };
  const alone = (name: string, model: object): SamplePage => ({
    view: `account/${name}`,
    model: { csrf: 'kJ3t-csrf-sample', ...model },
    app: WOLF,
  });
  const password = {
    email: 'mara.lindqvist@example.com',
    has_password: true,
    action: '/password',
    prove_url: null,
    remove_action: '/password/remove',
    min_length: 15,
    problem: null,
    problem_field: undefined,
  };
  return [
    page('profile', { ...profile, way_back: wayBack }),
    page(
      'profile',
      {
        ...profile,
        texts: [text('name', 'x'.repeat(300), say('problem.text_long', { max: 256 }))],
        problem: say('problem.not_saved'),
      },
      'problem',
    ),
    page('identifiers', identifiers),
    page(
      'identifiers',
      { ...identifiers, pending, way_back: wayBack, notice: say('account.done_email_asked') },
      'pending',
    ),
    page(
      'identifiers',
      { ...identifiers, pending, problem: say('problem.code'), problem_field: 'code' },
      'code',
    ),
    page(
      'identifiers',
      { ...identifiers, email: 'mara@', problem: say('problem.email'), problem_field: 'email' },
      'problem',
    ),
    alone('email-confirm', { action: '/confirm', email: pending.email, back_url: '/back' }),
    alone('email-elsewhere', {
      code: '482913',
      place: '203.0.113.7',
      device: { browser: 'Firefox', os: 'Windows' },
      requested_at: '2026-11-21T09:41:00Z',
      requested_at_text: null,
      refuse_action: '/refuse',
    }),
    alone('email-refused', {}),
    alone('email-undo', { action: '/undo', email: identifiers.current }),
    alone('email-undone', { email: identifiers.current, start_url: 'https://wolf.example/' }),
    page('activity', { ...activity, events: [event, ...more] }),
    page('activity', { ...activity, events: [], earlier_url: null }, 'empty'),
    page('data', data),
    page('data', { ...data, typed: 'mara@', problem: say('problem.confirm_email') }, 'problem'),
    page('data', { ...data, prove_url: '/prove', delete_action: null }, 'prove'),
    alone('deleted', { start_url: 'https://wolf.example/' }),
    page('password', password),
    page(
      'password',
      { ...password, problem: say('problem.current_password'), problem_field: 'current_password' },
      'problem',
    ),
    page('password', { ...password, has_password: false, remove_action: null }, 'none'),
    page('password', { ...password, prove_url: '/prove', way_back: wayBack }, 'prove'),
  ];
}
