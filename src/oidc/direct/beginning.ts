import type { AdapterPayload } from 'oidc-provider';
import { newNonce } from '../../kernel/secret.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { interactionAdapter } from '../adapters/interaction-adapter.ts';
import { askedIn, PLAIN_PARAMETERS } from './asked.ts';
import type { Redirect } from './authorization.ts';
import { plainFields } from './form.ts';
import { bringsNoSession, interactionCookies, type Presented } from './session-cookie.ts';

const FIELDS: ReadonlySet<string> = new Set([...PLAIN_PARAMETERS, 'login_hint', 'ui_locales']);

/**
 * To the sign-in page: for a browser without a session of this app, at a client that asks nobody. undefined: the request is
 * not this plain.
 */
export async function begun(at: AdapterDeps, presented: Presented): Promise<Redirect | undefined> {
  if (!bringsNoSession(at, presented.cookies)) return undefined;
  const form = plainFields(presented.query, FIELDS);
  if (!form || !askedIn(at, form)) return undefined;
  const uid = newNonce();
  const { interaction_ttl: ttlSeconds } = at.snapshot.app.settings;
  const { login_hint: hint } = form;
  const iat = epochSeconds();
  const payload = {
    iat,
    exp: iat + ttlSeconds,
    kind: 'Interaction',
    prompt: {
      name: 'login',
      reasons: ['no_session'],
      details: hint === undefined ? {} : { login_hint: hint },
    },
    params: form,
    cid: newNonce(),
  };
  await interactionAdapter(at).upsert(uid, payload as AdapterPayload, ttlSeconds);
  return {
    location: `/auth/${at.appId}/interaction/${uid}`,
    cookies: interactionCookies(at, uid, new Date(Date.now() + ttlSeconds * 1000)),
  };
}
