import type { SamplePage } from './sample-pages.ts';

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
    autocomplete: 'off',
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
