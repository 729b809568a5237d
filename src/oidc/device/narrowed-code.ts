import type { IncomingMessage } from 'node:http';
import { protocolRoutes } from '../issuers.ts';

const typed = new WeakMap<IncomingMessage, string>();

/** What a link (`verification_uri_complete`) or a form said the code is, for the field of the page. */
export const typedCode = (request: IncomingMessage): string | undefined => typed.get(request);

/** Remembers it for the page, as far as it can be a code. */
export function rememberTypedCode(request: IncomingMessage, code: string | undefined | null): void {
  const plain = (code ?? '').slice(0, 20).replaceAll(/[^A-Za-z-]/g, '');
  if (plain) typed.set(request, plain.toUpperCase());
}

/**
 * The query as the library may see it: without the code, for which it would send a form by script at once. A link
 * only fills in the field; going on is the person's own doing (RFC 8628 §3.3.1).
 */
export function withoutCode(path: string, querystring: string): string {
  return path === protocolRoutes.code_verification ? '' : querystring;
}

/**
 * The form as the library may see it. Confirming comes after signing in, and so does refusing: whoever merely guesses
 * a code ends nobody's.
 */
export function onlyTheCode(path: string, body: string): string {
  if (path !== protocolRoutes.code_verification) return body;
  const form = new URLSearchParams(body);
  form.delete('abort');
  form.set('confirm', 'yes');
  return form.toString();
}
