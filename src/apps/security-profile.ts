import type { Queryable } from '../storage/database.ts';
import { type AppSettings, authMethodOf, type Client } from './app.ts';
import { enabledClients } from './clients/operator-store.ts';
import { profileUnmet } from './errors.ts';
import { appShelf } from './keys/operator-store.ts';
import { appById } from './operator-store.ts';
import { toApp, toClient } from './registry.ts';

/** What of an app or of a client does not fit a profile. */
export type ProfileFault = { client_id: string | null; setting: string; reason: string };

/** FAPI 2.0 Security Profile §5.4: of what is signed, by us and by clients. */
export const fapiAlgorithms: ReadonlySet<string> = new Set(['PS256', 'ES256', 'EdDSA', 'Ed25519']);

const STRONG_METHODS: ReadonlySet<string> = new Set([
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
]);

/**
 * All that keeps an app and its enabled clients from the FAPI 2.0 Security Profile (Final). `signingNow`: the algorithm of
 * the key that signs, which follows the setting some minutes later.
 */
function fapiFaults(
  settings: AppSettings,
  clients: readonly Client[],
  signingNow: string | undefined,
): ProfileFault[] {
  const ofApp = (setting: string, reason: string): ProfileFault => ({ client_id: null, setting, reason });
  return [
    ...(fapiAlgorithms.has(settings.signing_algorithm)
      ? []
      : [ofApp('signing_algorithm', 'must be PS256, ES256 or EdDSA (§5.4.1)')]),
    ...(signingNow === undefined ||
    fapiAlgorithms.has(signingNow) ||
    !fapiAlgorithms.has(settings.signing_algorithm)
      ? []
      : [
          ofApp(
            'signing_algorithm',
            `is not in use yet: a key for ${signingNow} signs until the next one is known to verifiers`,
          ),
        ]),
    ...(settings.code_ttl <= 60 ? [] : [ofApp('code_ttl', 'must be 60 seconds or less (§5.3.2.1)')]),
    ...clients.flatMap(clientFaults),
  ];
}

function clientFaults(client: Client): ProfileFault[] {
  const { settings } = client;
  const alg = settings.token_endpoint_auth_signing_alg;
  const rules: [string, boolean, string][] = [
    [
      'token_endpoint_auth_method',
      STRONG_METHODS.has(authMethodOf(client)),
      'must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth (§5.3.2.1)',
    ],
    [
      'token_endpoint_auth_signing_alg',
      alg === null || fapiAlgorithms.has(alg),
      'must be PS256, ES256 or EdDSA (§5.4.1)',
    ],
    [
      'dpop_bound_access_tokens',
      settings.dpop_bound_access_tokens || settings.tls_client_certificate_bound_access_tokens,
      'or tls_client_certificate_bound_access_tokens must be on (§5.3.2.1)',
    ],
    ['pkce_required', settings.pkce_required, 'must be on (§5.3.2.2)'],
    [
      'redirect_uris',
      client.redirectUris.every((uri) => uri.startsWith('https://')),
      'must all be https (§5.3.2.2)',
    ],
  ];
  return rules
    .filter(([, holds]) => !holds)
    .map(([setting, , reason]) => ({ client_id: client.clientId, setting, reason }));
}

/** The same of an app as it is stored, whatever its profile. */
export async function storedFapiFaults(q: Queryable, appId: string): Promise<ProfileFault[]> {
  const row = await appById(q, appId);
  if (!row) return [];
  const clients = await enabledClients(q, appId);
  const signing = (await appShelf(appId).list(q)).find((key) => key.active && !key.retired);
  return fapiFaults(toApp(row).settings, clients.map(toClient), signing?.algorithm);
}

/** After every change of an app: Problem `apps.profile_unmet`, which takes the change back, if it left the app's profile. */
export async function requireProfile(tx: Queryable, appId: string): Promise<void> {
  const row = await appById(tx, appId);
  if (!row || toApp(row).settings.security_profile !== 'fapi2') return;
  const faults = await storedFapiFaults(tx, appId);
  if (faults.length) throw profileUnmet(faults);
}
