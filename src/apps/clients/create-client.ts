import { newId } from '../../kernel/id.ts';
import { authMethodOf, type Client, clientSettingsSchema } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { toClient } from '../registry.ts';
import { mergeSettings } from '../settings.ts';
import { type NewClientInput, requireSoundClient } from './client-input.ts';
import { requireOwnScopes } from '../apis/client-scopes.ts';
import { clientById, insertClient } from './operator-store.ts';
import { readSector, requireInSector } from './sector.ts';
import { issueFirstSecret } from './secrets/change-secrets.ts';

/** A further client of an app; `secret` for those that can keep one, and never again. */
export async function createClient(
  deps: AppsDeps,
  change: AppChange & { input: NewClientInput },
): Promise<{ client: Client; secret: string | undefined }> {
  const { appId, input } = change;
  const facts = {
    type: input.type,
    redirectUris: input.redirect_uris ?? [],
    postLogoutRedirectUris: input.post_logout_redirect_uris ?? [],
    allowedOrigins: input.allowed_origins ?? [],
    scopes: input.scopes ?? [],
    settings: mergeSettings(clientSettingsSchema, {}, input.settings ?? {}),
  };
  requireSoundClient(facts);
  requireInSector(facts, await readSector(deps.outgoing, facts));
  const method = authMethodOf({ type: facts.type, settings: clientSettingsSchema.parse(facts.settings) });
  return changeApp(deps, change, async (tx) => {
    await requireOwnScopes(tx, appId, facts.scopes);
    const clientId = newId('cli');
    await insertClient(tx, { appId, clientId, name: input.name, ...facts });
    const issued = await issueFirstSecret(deps, tx, {
      appId,
      clientId,
      method,
      expiresInSeconds: input.secret_expires_in,
    });
    const client = toClient((await clientById(tx, appId, clientId))!);
    return {
      result: { client, secret: issued?.secret },
      event: 'client.created',
      clientId,
      details: { type: input.type },
    };
  });
}
