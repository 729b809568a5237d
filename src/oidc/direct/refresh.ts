import type { AdapterPayload } from 'oidc-provider';
import type { Client } from '../../apps/app.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { RefreshTokenAdapter, rotationOf } from '../adapters/refresh-token-adapter.ts';
import { refreshSeconds } from '../token-hooks.ts';
import { clientFields } from './client.ts';
import { type Form, holdsOnly } from './form.ts';
import { sourceOf, tokenAnswer, tokensFor } from './user-tokens.ts';

const FIELDS: ReadonlySet<string> = new Set([...clientFields, 'grant_type', 'refresh_token']);
const GRANT_TYPE = 'refresh_token';

/**
 * Rotates a refresh token that lives (RFC 6749 §6, RFC 9700 §4.14.2): the adapter decides what it is worth and which
 * successor it gets, and writes both. undefined: it is worth nothing, was used before, or is not this plain.
 */
export async function refreshed(
  at: AdapterDeps,
  client: Client,
  form: Form,
): Promise<Record<string, unknown> | undefined> {
  const value = form['refresh_token'];
  if (value === undefined || !holdsOnly(form, FIELDS)) return undefined;
  if (client.type === 'service' || client.settings.refresh_tokens === 'never') return undefined;
  const adapter = new RefreshTokenAdapter(at);
  const source = await sourceOf(at, client, await adapter.find(value));
  const rotation = rotationOf();
  const tokens = source && rotation && (await tokensFor(at, source));
  if (!tokens) return undefined;
  await adapter.consume(value);
  const payload = successorOf(source.payload);
  const ttlSeconds = refreshSeconds(at.snapshot.app.settings, payload.iat! - payload.iiat!);
  await adapter.upsert(rotation.successor, { ...payload, exp: payload.iat! + ttlSeconds }, ttlSeconds);
  return tokenAnswer(tokens, rotation.successor);
}

/** What the next token of the family remembers: what the last one did. */
function successorOf(last: AdapterPayload): AdapterPayload {
  const { gty, rotations, jti: _jti, exp: _exp, endsWithSession: _ends, ...kept } = last;
  return {
    ...kept,
    iat: epochSeconds(),
    gty: gty === undefined || gty.endsWith(GRANT_TYPE) ? gty : `${gty} ${GRANT_TYPE}`,
    rotations: typeof rotations === 'number' ? rotations + 1 : 1,
  } as AdapterPayload;
}
