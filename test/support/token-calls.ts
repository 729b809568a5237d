import type * as oidc from 'openid-client';
import { REDIRECT, type TestClient } from './sign-in.ts';

export type Answer = { status: number; headers: Headers; text: string; body: any };

/** A request as a client's server sends it, whatever the answer is. */
export async function call(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  let body: any;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return { status: response.status, headers: response.headers, text, body };
}

export const basic = (client: TestClient): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${client.clientId}:${client.secret}`).toString('base64')}`,
});

export function post(url: string, client: TestClient, form: Record<string, string>): Promise<Answer> {
  return call(url, { method: 'POST', headers: basic(client), body: new URLSearchParams(form) });
}

export const tokenUrl = (configuration: oidc.Configuration): string =>
  configuration.serverMetadata().token_endpoint!;

export const redeemCode = (
  configuration: oidc.Configuration,
  client: TestClient,
  at: { callback: string; verifier: string },
): Promise<Answer> =>
  post(tokenUrl(configuration), client, {
    grant_type: 'authorization_code',
    code: new URL(at.callback).searchParams.get('code')!,
    redirect_uri: REDIRECT,
    code_verifier: at.verifier,
  });

export const refresh = (
  configuration: oidc.Configuration,
  client: TestClient,
  refreshToken: string,
): Promise<Answer> =>
  post(tokenUrl(configuration), client, { grant_type: 'refresh_token', refresh_token: refreshToken });

export const introspect = (
  configuration: oidc.Configuration,
  client: TestClient,
  token: string,
): Promise<Answer> => post(configuration.serverMetadata().introspection_endpoint!, client, { token });

export const userinfo = (configuration: oidc.Configuration, accessToken: string): Promise<Answer> =>
  call(configuration.serverMetadata().userinfo_endpoint!, {
    headers: { authorization: `Bearer ${accessToken}` },
  });

/** The same thing so many times at once. */
export const atOnce = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work));

/** The same but for one character in the middle: at the end it may be the same by chance, or mean the same. */
export function spoilt(text: string): string {
  const at = text.length >> 1;
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}
