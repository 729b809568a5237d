import { z } from 'zod';
import { MAX_TOKEN_TTL } from '../keys/signing-key.ts';
import { STANDARD_SCOPES, displayName } from '../clients/client-input.ts';
import type { ApiScope } from './api.ts';
import { apiScopeInvalid, identifierInvalid } from './errors.ts';

const apiScope = z.strictObject({
  /** A scope-token of RFC 6749 §3.3. */
  name: z.string().min(1).max(128),
  /** What it allows, for the consent page. */
  description: z.string().trim().max(300).default(''),
  /** Given when a request for this API names no scope at all. */
  default: z.boolean().default(false),
});

const fields = {
  scopes: z.array(apiScope).max(100),
  access_token_ttl: z.int().min(1).max(MAX_TOKEN_TTL).nullable(),
  /** Confidential clients of the app that are this API: they introspect and exchange its tokens. */
  server_clients: z.array(z.string().min(1).max(64)).max(20),
};

export const newApiSchema = z.strictObject({
  /** An absolute URI, the audience of its tokens. Never changes. */
  identifier: z.string().min(1).max(500),
  name: displayName,
  scopes: fields.scopes.optional(),
  access_token_ttl: fields.access_token_ttl.optional(),
  server_clients: fields.server_clients.optional(),
});
export type NewApiInput = z.output<typeof newApiSchema>;

export const apiChangeSchema = z.strictObject({
  name: displayName.optional(),
  scopes: fields.scopes.optional(),
  access_token_ttl: fields.access_token_ttl.optional(),
  server_clients: fields.server_clients.optional(),
});
export type ApiChangeInput = z.output<typeof apiChangeSchema>;

/** RFC 8707 §2: an absolute URI without a fragment. Ours are never another's: nothing of this deployment may be claimed. */
export function requireIdentifier(identifier: string, baseUrl: string): void {
  if (!/^[\x21-\x7e]+$/.test(identifier) || !URL.canParse(identifier))
    throw identifierInvalid('must be an absolute URI');
  const url = new URL(identifier);
  if (identifier.includes('#')) throw identifierInvalid('must not have a fragment');
  if (url.username !== '' || url.password !== '') throw identifierInvalid('must not hold credentials');
  if (!['https:', 'http:', 'urn:'].includes(url.protocol))
    throw identifierInvalid('must be an https, http or urn URI');
  if (url.host !== '' && url.host === new URL(baseUrl).host)
    throw identifierInvalid('addresses of this deployment are its own');
  if (identifier.startsWith('urn:latchkey:')) throw identifierInvalid('urn:latchkey: is its own');
}

export function requireApiScopes(scopes: ApiScope[]): void {
  const seen = new Set<string>();
  for (const { name } of scopes) {
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name))
      throw apiScopeInvalid(`${name} is not a scope (RFC 6749 §3.3)`);
    if (STANDARD_SCOPES.has(name)) throw apiScopeInvalid(`${name} is a standard scope`);
    if (seen.has(name)) throw apiScopeInvalid(`${name} appears twice`);
    seen.add(name);
  }
}
