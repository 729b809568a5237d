/** `__Host-` needs https; plain http is allowed on loopback only. `url`: of the issuer, or its origin. */
export function sessionCookieName(url: string, appId: string): string {
  return `${url.startsWith('https:') ? '__Host-' : ''}lk_ses.${appId}`;
}

/** What the library calls its two short cookies; outside they carry app and uid: `lk_int.{app_id}.{uid}`. */
export const shortCookies = { interaction: 'lk_int', resume: 'lk_res' } as const;

/** How the library sets its cookies. The session's is for the whole origin, since both issuers of an app share it. */
export const cookieOptions = { signed: true, httpOnly: true, sameSite: 'lax', overwrite: true } as const;
export const sessionCookieOptions = { ...cookieOptions, path: '/' } as const;

const separator = '.';

/**
 * The cookies an app's provider may see on this request: its session, and the interaction or resume cookie of the
 * uid in the path under the name the library knows. No other app's cookie reaches it.
 */
export function narrowCookies(
  header: string | undefined,
  at: { session: string; appId: string; uid: string | undefined },
): string | undefined {
  if (!header) return undefined;
  const { session, appId, uid } = at;
  const signature = `${session}.sig`;
  const shorts = uid
    ? Object.values(shortCookies).map((short) => ({ short, outer: [short, appId, uid].join(separator) }))
    : [];
  const kept: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0) continue;
    const name = pair.slice(0, equals).trim();
    const value = pair.slice(equals + 1).trim();
    if (name === session || name === signature) kept.push(`${name}=${value}`);
    for (const { short, outer } of shorts) {
      // The library signs the name it knows, which is the same for every uid: a renamed cookie says another uid.
      if (name === outer && value === uid) kept.push(`${short}=${value}`);
      if (name === `${outer}.sig`) kept.push(`${short}.sig=${value}`);
    }
  }
  return kept.length ? kept.join('; ') : undefined;
}

/** The reverse for Set-Cookie: the uid is the last segment of the cookie's path. */
export function widenSetCookies(headers: string[], appId: string): string[] {
  return headers.map((header) => {
    for (const short of Object.values(shortCookies)) {
      const match = new RegExp(`^${short}(\\.sig)?=`).exec(header);
      if (!match) continue;
      const uid = /;\s*path=[^;]*\/([^/;]+)/i.exec(header)?.[1];
      if (uid) return [short, appId, uid].join(separator) + header.slice(short.length);
    }
    return header;
  });
}

/** The app whose resume cookie for this uid the browser brings; the cookie is verified later, by that app's provider. */
export function appOfResumeCookie(header: string | undefined, uid: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const [name] = pair.trim().split('=', 1);
    const parts = name!.split(separator);
    if (parts.length === 3 && parts[0] === shortCookies.resume && parts[2] === uid) return parts[1];
  }
  return undefined;
}

/** The apps a browser brings session cookies of. Says nothing about whether these sessions live. */
export function appsOfSessionCookies(header: string | undefined, baseUrl: string): string[] {
  const prefix = sessionCookieName(baseUrl, '');
  const names = (header ?? '').split(';').map((pair) => pair.trim().split('=', 1)[0]!);
  return [
    ...new Set(
      names
        .filter((name) => name.startsWith(prefix) && !name.endsWith('.sig'))
        .map((name) => name.slice(prefix.length)),
    ),
  ];
}
