import { decodeJwt } from 'jose';
import type { AppRegistry } from '../apps/registry.ts';
import { isAppId } from '../apps/registry.ts';
import { appOfResumeCookie } from './cookies.ts';

export type SharedRequest = {
  path: string;
  query: URLSearchParams;
  form: URLSearchParams | undefined;
  authorization: string | undefined;
  cookies: string | undefined;
};

/** 'mixed': the request names two different clients, or one twice. */
export type FoundApp = { appId: string } | 'mixed' | undefined;

/**
 * Which app a request at the shared issuer belongs to, before anything is believed: what is read here only chooses the
 * provider, and that app's provider then verifies it. Design §2.2, the table.
 */
export async function findApp(request: SharedRequest, registry: AppRegistry): Promise<FoundApp> {
  const { path } = request;
  const resumed = /^\/(?:authorize|device)\/(.+)$/.exec(path)?.[1];
  if (resumed !== undefined) {
    const appId = appOfResumeCookie(request.cookies, resumed);
    return appId !== undefined && isAppId(appId) ? { appId } : undefined;
  }
  switch (path) {
    case '/authorize':
    case '/par':
    case '/device_authorization':
    case '/token':
    case '/introspect':
    case '/revoke':
      return byClient(request, registry);
    case '/device':
      return byDevicePage(request, registry);
    case '/userinfo':
      return byClaim(bearerOf(request));
    case '/logout':
    case '/logout/success':
      return byLogoutHint(request, registry);
    case '/logout/confirm':
      return byConfirmForm(request);
    default:
      return undefined;
  }
}

async function byClient(request: SharedRequest, registry: AppRegistry): Promise<FoundApp> {
  return byClientIds(clientsNamed(request), registry);
}

/** Every client that a request names, in whatever place; more than one is for others to refuse. */
export function clientsNamed(request: Pick<SharedRequest, 'query' | 'form' | 'authorization'>): string[] {
  return [
    ...request.query.getAll('client_id'),
    ...(request.form?.getAll('client_id') ?? []),
    ...basicUser(request.authorization),
    ...assertionSubjects(request.form),
  ];
}

async function byClientIds(named: string[], registry: AppRegistry): Promise<FoundApp> {
  if (named.length === 0) return undefined;
  if (new Set(named).size > 1) return 'mixed';
  const appId = await registry.appOfClient(named[0]!);
  return appId === undefined ? undefined : { appId };
}

/** RFC 6749 §2.3.1: both halves of Basic are form-encoded. */
function basicUser(authorization: string | undefined): string[] {
  const match = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '');
  if (!match) return [];
  const [user] = Buffer.from(match[1]!, 'base64').toString('utf8').split(':', 1);
  try {
    return [decodeURIComponent(user!.replaceAll('+', '%20'))];
  } catch {
    return [];
  }
}

function assertionSubjects(form: URLSearchParams | undefined): string[] {
  return (form?.getAll('client_assertion') ?? [])
    .map((assertion) => claimOf(assertion, 'sub'))
    .filter((sub) => sub !== undefined);
}

function bearerOf(request: SharedRequest): string | undefined {
  return (
    /^(?:Bearer|DPoP) +(\S+)$/i.exec(request.authorization ?? '')?.[1] ??
    request.form?.get('access_token') ??
    undefined
  );
}

function byClaim(token: string | undefined): FoundApp {
  const appId = token === undefined ? undefined : claimOf(token, 'app_id');
  return appId !== undefined && isAppId(appId) ? { appId } : undefined;
}

async function byLogoutHint(request: SharedRequest, registry: AppRegistry): Promise<FoundApp> {
  const hint = request.query.get('id_token_hint') ?? request.form?.get('id_token_hint');
  const fromHint = hint ? byClaim(hint) : undefined;
  if (fromHint) return fromHint;
  return byClientIds(
    [...request.query.getAll('client_id'), ...(request.form?.getAll('client_id') ?? [])],
    registry,
  );
}

/** The app whose page it is; the deployment's own names none. */
function byDevicePage({ query, form }: SharedRequest, registry: AppRegistry): Promise<FoundApp> {
  return byClientIds([...query.getAll('client_id'), ...(form?.getAll('client_id') ?? [])], registry);
}

/** A hidden field of our own sign-out form. Which session ends is decided by that app's cookie and its secret. */
function byConfirmForm(request: SharedRequest): FoundApp {
  const named = request.form?.getAll('app_id') ?? [];
  if (named.length !== 1 || !isAppId(named[0]!)) return undefined;
  return { appId: named[0]! };
}

/** A claim of text, believed by nobody yet. */
export function claimOf(jwt: string, claim: string): string | undefined {
  try {
    const value = decodeJwt(jwt)[claim];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
