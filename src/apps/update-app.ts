import { type App, appSettingsSchema, type Client } from './app.ts';
import type { AppChangeInput } from './app-input.ts';
import { type AppChange, type AppsDeps, changeApp } from './change-app.ts';
import { changeClient, sectorAhead } from './clients/update-client.ts';
import { appBuiltIn } from './errors.ts';
import { appById, writeApp } from './operator-store.ts';
import { algorithmChange } from './keys/rotate.ts';
import { toApp } from './registry.ts';
import { mergeSettings, type Settings } from './settings.ts';

/** What is absent stays; settings are merged one by one. The app's name is also its first client's. */
export async function updateApp(
  deps: AppsDeps,
  change: AppChange & { input: AppChangeInput },
): Promise<{ app: App; client: Client }> {
  const { appId, input } = change;
  const turnKeys = await algorithmChange(deps, appId, input.settings);
  const { name, redirect_uris, post_logout_redirect_uris, allowed_origins } = input;
  const clientChange = {
    appId,
    clientId: appId,
    input: { name, redirect_uris, post_logout_redirect_uris, allowed_origins },
  };
  const sector = await sectorAhead(deps, clientChange);
  return changeApp(deps, change, async (tx, row) => {
    if (row.built_in && input.disabled) throw appBuiltIn();
    const settings = mergeSettings(appSettingsSchema, row.settings as Settings, input.settings ?? {});
    await writeApp(tx, {
      appId,
      name: input.name ?? row.name,
      settings,
      disabled: input.disabled ?? row.disabled_at !== null,
    });
    await turnKeys(tx);
    const client = await changeClient(tx, { ...clientChange, sector });
    const app = toApp((await appById(tx, appId))!);
    return { result: { app, client }, event: 'app.updated', details: { changed: Object.keys(input) } };
  });
}
