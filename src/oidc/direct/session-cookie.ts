import { sameSecret } from '../../kernel/secret.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { cookieSigner } from '../cookie-signer.ts';
import { narrowCookies, sessionCookieName } from '../cookies.ts';

/** What a browser brings to the authorization endpoint. */
export type Presented = { query: string; cookies: string | undefined };

type At = Pick<AdapterDeps, 'issuerUrl' | 'appId' | 'rootKeys'>;

/**
 * The session's id, if the browser brings this app's cookie once, signed by the newest key. An older signature is replaced
 * and a wrong one taken away, which the library does.
 */
export function sessionIdIn(at: At, cookies: string | undefined): string | undefined {
  const name = sessionCookieName(at.issuerUrl, at.appId);
  const brought = narrowCookies(cookies, { session: name, appId: at.appId, uid: undefined })?.split('; ');
  if (brought?.length !== 2) return undefined;
  const [value, signature] = [valueOf(brought, name), valueOf(brought, `${name}.sig`)];
  if (value === undefined || signature === undefined) return undefined;
  const isOurs = sameSecret(cookieSigner(at.rootKeys, at.appId).sign(`${name}=${value}`), signature);
  return isOurs ? value : undefined;
}

function valueOf(pairs: readonly string[], name: string): string | undefined {
  const value = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  return value !== undefined && /^[A-Za-z0-9_-]+$/.test(value) ? value : undefined;
}

/** As the library gives it anew with every answer: it lives as long as the session would without being used. */
export function sessionCookies(at: At, sessionId: string, expires: Date): string[] {
  const name = sessionCookieName(at.issuerUrl, at.appId);
  const pair = `${name}=${sessionId}`;
  const attributes = [
    'path=/',
    'samesite=lax',
    ...(at.issuerUrl.startsWith('https:') ? ['secure'] : []),
    'httponly',
    `expires=${expires.toUTCString()}`,
  ].join('; ');
  const signature = cookieSigner(at.rootKeys, at.appId).sign(pair);
  return [`${pair}; ${attributes}`, `${name}.sig=${signature}; ${attributes}`];
}
