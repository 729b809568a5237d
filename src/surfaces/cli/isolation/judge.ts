import type { Attempt } from './attempt.ts';
import type { Answer } from './call.ts';
import type { Side } from './side.ts';

/** What only this app's people, clients and operators may see. */
export function secretsOf(side: Side): string[] {
  const { held, first, further, service, user, stranger, ids, waiting, finished, mailed, browser } = side;
  const tokens = Object.values(held).flatMap((one) => [...Object.values(one.tokens), one.code, one.service]);
  const optional = Object.values(side.optional.held).flatMap((one) => [
    one.deviceCode,
    one.exchanged,
    one.bound,
  ]);
  const cookies = [...browser.cookies(), ...waiting.browser.cookies()].map(({ value }) => value);
  const links = mailed ? Object.values(mailed).filter((one) => typeof one === 'string') : [];
  const words = [first.secret, further.secret, service.secret, user.userId, user.name];
  const more = [
    user.password,
    side.registration.initialToken,
    side.registration.token,
    stranger.userId,
    stranger.email,
    waiting.uid,
    finished.uid,
    ids['session_id'],
    ids['grant_id'],
    ids['secret_id'],
  ];
  return [...tokens, ...optional, ...cookies, ...links, ...words, ...more].filter(
    (word): word is string => word !== undefined && word.length >= 12,
  );
}

/** Why an answer is not the refusal that was due; undefined when it is. */
export function faultIn(
  { request, allows, hides, route, unlike = [] }: Attempt,
  answer: Answer,
  secrets: Record<'a' | 'b', readonly string[]>,
): string | undefined {
  const { status, location, json } = answer;
  if (status >= 500) return `failed with ${status} instead of refusing`;
  if (/"origin \S+ not allowed/.test(answer.text)) return 'was refused for its origin, which proves nothing';
  if (status === 429) return 'was answered "too often", which proves nothing';
  const sent = `${request.url} ${JSON.stringify(request.headers)} ${request.body ?? ''}`;
  const seen = `${answer.text}\n${JSON.stringify([...answer.headers])}`;
  if (secrets[hides].some((word) => seen.includes(word) && !sent.includes(word)))
    return "shows what is only the other app's to see";
  if (unlike.some((word) => seen.includes(word))) return "publishes what is the other app's";
  if (location !== undefined && isGrant(location, route.path, allows))
    return 'leads on with what was asked for';
  if (status >= 300) return undefined;
  for (const name of ['access_token', 'id_token', 'refresh_token', 'code', 'request_uri', 'device_code'])
    if (typeof json?.[name] === 'string') return `hands out ${name}`;
  if (json?.['error'] === 'authorization_pending' || json?.['error'] === 'slow_down')
    return 'knows the device code';
  if (json?.['active'] === true) return 'calls the token active';
  return isAllowed(allows, answer) ? undefined : `was answered ${status} where a refusal was due`;
}

function isGrant(location: string, path: string, allows: Attempt['allows']): boolean {
  const { searchParams, hash, pathname } = new URL(location);
  const answered = new URLSearchParams(hash.slice(1));
  if (
    ['code', 'access_token', 'id_token', 'response'].some(
      (name) => searchParams.has(name) || answered.has(name),
    )
  )
    return true;
  // A code that was typed leads to the sign-in for the device that waits.
  if (path.endsWith('/device') && pathname.includes('/interaction/')) return true;
  // What was asked for at an account page is done by now; a refusal goes to the sign-in.
  if (allows === 'refusal' && path.includes('/account') && pathname.includes('/account/')) return true;
  // A step of a sign-in that leads back to the authorization endpoint has recorded a result.
  return path.includes('/interaction/') && /\/authorize\/[^/]+$/.test(pathname);
}

function isAllowed(allows: Attempt['allows'], { text, json }: Answer): boolean {
  switch (allows) {
    case 'page':
    case 'public':
    case 'own':
      return true;
    case 'inactive':
      return json?.['active'] === false && Object.keys(json).length === 1;
    case 'nothing':
      return text === '';
    default:
      return false;
  }
}
