import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import {
  type App,
  appSettingsSchema,
  type Client,
  clientSettingsSchema,
  type ClientType,
  isConfidential,
} from './app.ts';
import type { NewAppInput } from './app-input.ts';
import type { AppsDeps } from './change-app.ts';
import { requireSoundClient } from './clients/client-input.ts';
import { clientById, insertClient } from './clients/operator-store.ts';
import { issueSecret } from './clients/secrets/secret.ts';
import { nameReserved, nameTaken } from './errors.ts';
import { generateSigningKey } from './keys/generate.ts';
import { appShelf } from './keys/operator-store.ts';
import { insertApp } from './operator-store.ts';
import { toApp, toClient } from './registry.ts';
import { isReserved } from './reserved-names.ts';
import { requireProfile } from './security-profile.ts';
import { mergeSettings } from './settings.ts';

export type CreatedApp = { app: App; client: Client; secret: string | undefined };

/**
 * An app, its first client (client_id = app_id) and its first key, all at once. `secret` is there for a
 * confidential client, and never again. Problems `apps.name_reserved`, `apps.name_taken`.
 */
export async function createApp(
  deps: AppsDeps,
  { input, by }: { input: NewAppInput; by: Author },
): Promise<CreatedApp> {
  if (isReserved(input.app_id)) throw nameReserved();
  return openApp(deps, { input, by, builtIn: false });
}

/** The same for the built-in apps, whose names are reserved for them. `withSecret: false`: the caller adds one. */
export async function openApp(
  deps: AppsDeps,
  {
    input,
    by,
    builtIn,
    withSecret = true,
  }: { input: NewAppInput; by: Author; builtIn: boolean; withSecret?: boolean },
): Promise<CreatedApp> {
  const appId = input.app_id;
  const settings = mergeSettings(appSettingsSchema, {}, input.settings ?? {});
  const facts = {
    type: (input.type ?? 'web') satisfies ClientType,
    redirectUris: input.redirect_uris ?? [],
    postLogoutRedirectUris: input.post_logout_redirect_uris ?? [],
    allowedOrigins: input.allowed_origins ?? [],
    scopes: [] as string[],
    settings: {} as Record<string, unknown>,
  };
  if (!builtIn) requireSoundClient(facts);
  const confidential = isConfidential({ type: facts.type, settings: clientSettingsSchema.parse({}) });
  const { signing_algorithm: algorithm } = appSettingsSchema.parse(settings);
  const key = await generateSigningKey(deps, { appId, table: 'signing_keys' }, algorithm);
  return deps.operatorDb.transaction(undefined, async (tx) => {
    const row = await insertApp(tx, { appId, name: input.name, settings, builtIn });
    if (!row) throw nameTaken();
    await insertClient(tx, { appId, clientId: appId, name: input.name, ...facts });
    await appShelf(appId).insert(tx, key, 0);
    const issued = confidential && withSecret ? await issueSecret(tx, { appId, clientId: appId }) : undefined;
    await audit(tx, {
      ...by,
      appId,
      type: 'app.created',
      clientId: appId,
      result: 'success',
      details: { type: facts.type },
    });
    await requireProfile(tx, appId);
    const client = toClient((await clientById(tx, appId, appId))!);
    tx.afterCommit(() => deps.registry.forget(appId));
    return { app: toApp(row), client, secret: issued?.secret };
  });
}
