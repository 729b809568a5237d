import { sameSecret } from '../../kernel/secret.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { cookieSigner } from '../cookie-signer.ts';
import { narrowCookies, sessionCookieName, shortCookies } from '../cookies.ts';
import { protocolRoutes } from '../issuers.ts';

/** What a browser brings to the authorization endpoint. */
export type Presented = { query: string; cookies: string | undefined };

type At = Pick<AdapterDeps, 'issuerUrl' | 'appId' | 'rootKeys'>;

/** Not even one that is no good any more, which the library would take away. */
export const bringsNoSession = (at: At, cookies: string | undefined): boolean =>
  narrowCookies(cookies, {
    session: sessionCookieName(at.issuerUrl, at.appId),
    appId: at.appId,
    uid: undefined,
  }) === undefined;

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
  const attributes = `path=/; ${protection(at.issuerUrl)}; expires=${expires.toUTCString()}`;
  const signature = cookieSigner(at.rootKeys, at.appId).sign(pair);
  return [`${pair}; ${attributes}`, `${name}.sig=${signature}; ${attributes}`];
}

const resumePath = (at: At, uid: string): string =>
  `${new URL(at.issuerUrl).pathname.replace(/\/$/, '')}${protocolRoutes.authorization}/${uid}`;

/** An interaction's two, each for the path where it is of use. */
export function interactionCookies(at: At, uid: string, expires: Date): string[] {
  const signer = cookieSigner(at.rootKeys, at.appId);
  const paths = { interaction: `/auth/${at.appId}/interaction/${uid}`, resume: resumePath(at, uid) };
  return (['interaction', 'resume'] as const).flatMap((which) => {
    const short = shortCookies[which];
    const name = `${short}.${at.appId}.${uid}`;
    const attributes = attributesOf(at, paths[which], expires);
    // Signed under the name that the library knows.
    return [`${name}=${uid}; ${attributes}`, `${name}.sig=${signer.sign(`${short}=${uid}`)}; ${attributes}`];
  });
}

/** Where an interaction goes on at the library: taken back, because it does not. */
export function resumeCookiesCleared(at: At, uid: string): string[] {
  const attributes = attributesOf(at, resumePath(at, uid), new Date(0));
  const name = `${shortCookies.resume}.${at.appId}.${uid}`;
  return [`${name}=; ${attributes}`, `${name}.sig=; ${attributes}`];
}

/** As the library writes them, whose own come after the date. */
const attributesOf = ({ issuerUrl }: At, path: string, expires: Date): string =>
  `path=${path}; expires=${expires.toUTCString()}; ${protection(issuerUrl)}`;

const protection = (issuerUrl: string): string =>
  `samesite=lax; ${issuerUrl.startsWith('https:') ? 'secure; ' : ''}httponly`;
