import { type AppSnapshot, authMethodOf, type Client } from '../../apps/app.ts';
import { canBeServed, type MutualTls } from '../client-authentication.ts';
import { hasLiveSecret } from '../client-secret.ts';
import type { Form } from './form.ts';

/** What a client sends to say who it is. */
export const clientFields = ['client_id', 'client_secret'] as const;

/** Values that need no decoding and mean one thing to every reader. */
const PLAIN = /^([A-Za-z0-9._~-]{1,200}):([A-Za-z0-9._~-]{1,200})$/;

/**
 * The client of a request that has shown one of its secrets, in the header or in the form (RFC 6749 §2.3.1), or that has
 * none to show (§2.1). undefined: it did not, or shows in another way who it is, and the library has to say so.
 */
export function clientOf(
  { snapshot, mtls }: { snapshot: AppSnapshot; mtls: MutualTls },
  authorization: string | undefined,
  form: Form,
): Client | undefined {
  const shown = authorization === undefined ? inForm(form) : inHeader(authorization, form);
  const client = shown && snapshot.clients.get(shown.id);
  if (!client || !canBeServed(snapshot.app, client, mtls) || isBound(client)) return undefined;
  const method = authMethodOf(client);
  // One that has a secret may send it in either way.
  const isRight =
    shown.secret === undefined
      ? method === 'none'
      : (method === 'client_secret_basic' || method === 'client_secret_post') &&
        hasLiveSecret(client, shown.secret);
  return isRight ? client : undefined;
}

/** Whether its tokens are for the holder of a key or a certificate alone, which then has to be shown. */
export const isBound = ({ settings }: Client): boolean =>
  settings.dpop_bound_access_tokens || settings.tls_client_certificate_bound_access_tokens;

type Shown = { id: string; secret: string | undefined };

function inForm({ client_id: id, client_secret: secret }: Form): Shown | undefined {
  return id === undefined ? undefined : { id, secret };
}

function inHeader(authorization: string, form: Form): Shown | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined;
  const [, id, secret] = PLAIN.exec(Buffer.from(encoded, 'base64').toString('latin1')) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  if (form['client_secret'] !== undefined || (form['client_id'] ?? id) !== id) return undefined;
  return { id, secret };
}
