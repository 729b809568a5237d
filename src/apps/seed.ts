import { newId } from '../kernel/id.ts';
import { Problem } from '../kernel/problem.ts';
import { digestOf } from '../kernel/secret.ts';
import type { Author } from '../events/author.ts';
import type { NewAppInput } from './app-input.ts';
import { type AppsDeps, changeApp } from './change-app.ts';
import { clientById, writeClient } from './clients/operator-store.ts';
import { insertSecret, liveSecrets, revokeSecret } from './clients/secrets/operator-store.ts';
import { openApp } from './create-app.ts';
import { ensureDeploymentKey } from './keys/deployment/rotate.ts';
import { appById, everyApp } from './operator-store.ts';
import type { ClientRow } from './store.ts';

export type Seeding = { baseUrl: string; demo?: { clientSecret: string } | undefined };

const SYSTEM: Author = { actor: { type: 'system' } };

/** What every deployment has: the shared issuer's key, `console`, and `demo` where it is asked for. Doing it twice, or two at once, changes nothing. */
export async function seedBuiltInApps(deps: AppsDeps, { baseUrl, demo }: Seeding): Promise<void> {
  const base = baseUrl.replace(/\/$/, '');
  await Promise.all([
    ensureDeploymentKey(deps),
    ensureApp(deps, {
      app_id: 'console',
      name: 'Latchkey console',
      type: 'spa',
      redirect_uris: [`${base}/console/callback`],
      post_logout_redirect_uris: [`${base}/console/`],
      settings: { sign_up: 'invite_only' },
    }),
    demo && ensureDemo(deps, base, demo.clientSecret),
  ]);
}

async function ensureDemo(deps: AppsDeps, base: string, clientSecret: string): Promise<void> {
  await ensureApp(deps, {
    app_id: 'demo',
    name: 'Demo',
    type: 'web',
    redirect_uris: [`${base}/dev/playground/callback`],
    post_logout_redirect_uris: [`${base}/dev/playground`],
  });
  await ensureDemoSecret(deps, clientSecret);
}

async function ensureApp(deps: AppsDeps, input: NewAppInput): Promise<void> {
  const q = everyApp(deps.operatorDb);
  if (!(await appById(q, input.app_id))) {
    try {
      await openApp(deps, { input, by: SYSTEM, builtIn: true, withSecret: false });
      return;
    } catch (error) {
      // Another process was first.
      if (!(error instanceof Problem && error.code === 'apps.name_taken')) throw error;
    }
  }
  const client = await clientById(q, input.app_id, input.app_id);
  if (client && !hasUris(client, input)) await followBaseUrl(deps, input);
}

const hasUris = (client: ClientRow, input: NewAppInput): boolean =>
  (input.redirect_uris ?? []).every((uri) => client.redirect_uris.includes(uri)) &&
  (input.post_logout_redirect_uris ?? []).every((uri) => client.post_logout_redirect_uris.includes(uri));

/** BASE_URL was changed since the app was made. */
async function followBaseUrl(deps: AppsDeps, input: NewAppInput): Promise<void> {
  const appId = input.app_id;
  await changeApp(deps, { appId, by: SYSTEM }, async (tx) => {
    const row = (await clientById(tx, appId, appId))!;
    await writeClient(tx, {
      appId,
      clientId: appId,
      name: row.name,
      redirectUris: input.redirect_uris ?? [],
      postLogoutRedirectUris: input.post_logout_redirect_uris ?? [],
      allowedOrigins: row.allowed_origins,
      scopes: row.scopes,
      settings: row.settings as object,
      disabled: false,
    });
    return {
      result: undefined,
      event: 'app.updated',
      details: { changed: ['redirect_uris', 'post_logout_redirect_uris'] },
    };
  });
}

/** The playground's secret, and no older one of its kind. */
async function ensureDemoSecret(deps: AppsDeps, clientSecret: string): Promise<void> {
  const at = { appId: 'demo', clientId: 'demo' };
  const digest = digestOf(clientSecret);
  const q = everyApp(deps.operatorDb);
  if ((await liveSecrets(q, at)).some((secret) => secret.digest === digest)) return;
  await changeApp(deps, { appId: 'demo', by: SYSTEM }, async (tx) => {
    const live = await liveSecrets(tx, at);
    if (!live.some((secret) => secret.digest === digest)) {
      for (const secret of live) await revokeSecret(tx, { ...at, secretId: secret.secret_id });
      await insertSecret(tx, { ...at, secretId: newId('sec'), digest, expiresInSeconds: undefined });
    }
    return { result: undefined, event: 'client.secret_rotated', clientId: 'demo' };
  });
}
