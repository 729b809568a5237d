import { type AppSnapshot, authMethodOf, type Client } from '../../apps/app.ts';
import { canBeServed, type MutualTls } from '../client-authentication.ts';
import { hasLiveSecret } from '../client-secret.ts';

/** What a client sends to say who it is, and the values of it that need no decoding and mean one thing to every reader. */
export const clientFields = ['client_id', 'client_secret'] as const;
const PLAIN = /^([A-Za-z0-9._~-]{1,200}):([A-Za-z0-9._~-]{1,200})$/;

/**
 * The client of a request that has shown one of its secrets, in the header or in the form (RFC 6749 §2.3.1). undefined:
 * it did not, or shows in another way who it is, and the library has to say so.
 */
export function clientBySecret(
  { snapshot, mtls }: { snapshot: AppSnapshot; mtls: MutualTls },
  authorization: string | undefined,
  form: Readonly<Record<string, string>>,
): Client | undefined {
  const shown = authorization === undefined ? inForm(form) : inHeader(authorization, form);
  const client = shown && snapshot.clients.get(shown.id);
  if (!client || !bySecret.has(authMethodOf(client)) || !canBeServed(snapshot.app, client, mtls))
    return undefined;
  return hasLiveSecret(client, shown.secret) ? client : undefined;
}

/** A client that has a secret may send it in either way. */
const bySecret: ReadonlySet<string> = new Set(['client_secret_basic', 'client_secret_post']);

type Shown = { id: string; secret: string };

function inForm({
  client_id: id,
  client_secret: secret,
}: Readonly<Record<string, string>>): Shown | undefined {
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

function inHeader(authorization: string, form: Readonly<Record<string, string>>): Shown | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined;
  const [, id, secret] = PLAIN.exec(Buffer.from(encoded, 'base64').toString('latin1')) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  if (form['client_secret'] !== undefined || (form['client_id'] ?? id) !== id) return undefined;
  return { id, secret };
}
