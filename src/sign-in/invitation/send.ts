import type { AppRegistry } from '../../apps/registry.ts';
import { enqueueMail, type MailDeps } from '../../delivery/mail.ts';
import { seconds } from '../../kernel/duration.ts';
import { homeOrigin } from '../../oidc/served.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import type { Transaction } from '../../storage/database.ts';
import type { User } from '../../users/user.ts';
import { nothingHere } from '../errors.ts';
import { storeClock } from './store.ts';
import { writeInvitation } from './token.ts';

export type InvitationDeps = {
  registry: Pick<AppRegistry, 'snapshot'>;
  rootKeys: RootKeys;
  config: { baseUrl: string };
  mail: MailDeps;
};

/** Queues a mail with a link to set up the account, in the caller's transaction. */
export async function sendInvitation(
  tx: Transaction,
  deps: InvitationDeps,
  { appId, user }: { appId: string; user: Pick<User, 'userId' | 'email' | 'locale'> },
): Promise<void> {
  const snapshot = await deps.registry.snapshot(appId);
  if (!snapshot) throw nothingHere();
  const { app } = snapshot;
  const ttlSeconds = app.settings.invitation_ttl;
  const expiresAt = Math.floor((await storeClock(tx)) + ttlSeconds);
  const token = writeInvitation(deps.rootKeys, appId, { userId: user.userId, email: user.email, expiresAt });
  await enqueueMail(tx, deps.mail, {
    appId,
    to: user.email,
    template: 'invitation',
    model: {
      app_name: app.name,
      url: `${homeOrigin(deps.config.baseUrl, snapshot)}/auth/${appId}/invitation/${token}`,
      expires_hours: Math.max(1, Math.round(ttlSeconds / seconds.hour)),
    },
    locale: user.locale ?? 'en',
    expiresInSeconds: ttlSeconds,
  });
}
