import { isSound, type Report } from './verify.ts';

const SURFACES: readonly (readonly [string, RegExp])[] = [
  ['Admin API', / \/api\//],
  ['sign-in and account pages', / \/auth\/:app_id\/(interaction|invitation|account|device)/],
  ["the app's own issuer", /\/auth\/:app_id/],
  ['development', / \/dev\//],
  ['shared issuer, and what is public', /./],
];

/** The report for people. */
export function reportText(report: Report): string {
  const { attempts, leaks, uncovered_routes, controls, skipped, exempt_routes, duration_ms } = report;
  const dead = controls.filter(({ works }) => !works);
  return [
    isSound(report) ? 'Nothing crossed.' : 'NOT ISOLATED, or not proved to be.',
    '',
    ...SURFACES.map(([name]) => surfaceLine(report, name)),
    '',
    `  attempts ${attempts}, leaks ${leaks.length}, uncovered routes ${uncovered_routes.length}, ` +
      `dead credentials ${dead.length} of ${controls.length}, in ${(duration_ms / 1000).toFixed(1)} s`,
    ...leaks.flatMap(({ route, credential, how, why, request }) => [
      '',
      `LEAK  ${route}`,
      `      ${credential}, ${how}: ${why}`,
      ...request.split('\n').map((line) => `        ${line}`),
    ]),
    ...section('Not covered', uncovered_routes),
    ...section(
      'Dead, so that what was tried with it proves nothing',
      dead.map(({ app, what, why }) => `${what} of app ${app}: ${why}`),
    ),
    ...section(
      'Skipped',
      skipped.map(({ what, why }) => `${what}: ${why}`),
    ),
    ...section(
      'Nothing to keep apart',
      exempt_routes.map(({ route, why }) => `${route}: ${why}`),
    ),
  ].join('\n');
}

function surfaceLine({ routes }: Report, name: string): string {
  const mine = routes.filter(
    ({ route }) => SURFACES.find(([, pattern]) => pattern.test(route))?.[0] === name,
  );
  const tried = mine.reduce((sum, { attempts }) => sum + attempts, 0);
  return `  ${name.padEnd(36)}${String(mine.length).padStart(4)} routes ${String(tried).padStart(6)} attempts`;
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
