import type { Route } from '../../../http/route-table.ts';
import { type Attempt, attempt, carriedCookies, cookieOf, fill, type World } from './attempt.ts';
import { arrive, checked, type Control } from './controls.ts';
import { linkIn } from './mailbox.ts';
import { beginSignIn, type Digits, random, type Side, type Stage } from './side.ts';

/** Digits live for ten minutes, so both apps mail theirs when they are to be tried, and they are used right behind. */
export async function mailDigits(stage: Stage, { a, b }: World): Promise<World['digits']> {
  return { a: await askForDigits(stage, a), b: await askForDigits(stage, b) };
}

async function askForDigits(stage: Stage, side: Pick<Side, 'appId' | 'redirectUri'>): Promise<Digits> {
  const email = `reader-${random().toLowerCase()}@example.com`;
  await stage.admin('POST', `/apps/${side.appId}/users`, { email, email_verified: true });
  const waiting = await beginSignIn(stage, side);
  const { browser, csrf, page } = waiting;
  await browser.ask(`${page.url}/email-code`, { csrf, email });
  return { waiting, code: await linkIn(stage.mailbox!, email, '(?:^|\\n)(\\d{6})\\s*(?:\\n|$)') };
}

/** A's digits at A's own step below B's name, and where B asks a reader of its own for its digits. */
export function byEmailCode({ a, b, baseUrl, digits }: World, route: Route): Attempt[] {
  if (route.method !== 'POST' || !digits) return [];
  const at = (uid: string) => ({ route, url: baseUrl + fill(route.path, { app_id: b.appId, uid })! });
  const { waiting, code } = digits.a;
  const { waiting: asked } = digits.b;
  const own = carriedCookies({ a, b }, waiting.browser.cookies(), 'code by mail').map(
    ({ credential, how, cookie }) =>
      attempt(at(waiting.uid), {
        credential,
        how: `at the step of its own app, ${how}`,
        headers: { cookie },
        fields: { csrf: waiting.csrf, code },
      }),
  );
  return [
    ...own,
    attempt(at(asked.uid), {
      credential: 'code by mail',
      how: 'at a sign-in of the other app that waits for digits of its own',
      headers: { cookie: cookieOf(asked.browser.cookies()) },
      fields: { csrf: asked.csrf, code },
    }),
  ];
}

/** What was carried was alive all the while. */
export const digitsControl =
  (side: Side, { waiting, code }: Digits) =>
  (): Promise<Control[]> =>
    checked('a', [
      [
        'code by mail',
        () =>
          arrive(side, waiting.browser, `${waiting.page.url}/email-code/code`, { csrf: waiting.csrf, code }),
      ],
    ]);
