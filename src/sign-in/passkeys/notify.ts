import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import { enqueueMail, type MailDeps } from '../../delivery/mail.ts';
import { localeOf } from '../../http/page.ts';
import { seconds } from '../../kernel/duration.ts';
import { homeOrigin } from '../../oidc/served.ts';
import type { Transaction } from '../../storage/database.ts';
import type { User } from '../../users/user.ts';
import { askedFrom } from '../asked-from.ts';

/** Tells the owner of an account, in the caller's transaction, what was done to its passkeys, from where. */
export async function tellOwner(
  tx: Transaction,
  { ctx, deps, snapshot }: { ctx: Context; deps: { mail: MailDeps; baseUrl: string }; snapshot: AppSnapshot },
  told: { user: User; template: 'passkey-added' | 'passkey-removed'; passkey: string },
): Promise<void> {
  const { user, template, passkey } = told;
  const { appId } = snapshot.app;
  const from = askedFrom(ctx);
  await enqueueMail(tx, deps.mail, {
    appId,
    to: user.email,
    template,
    model: {
      app_name: snapshot.app.name,
      passkey,
      url: `${homeOrigin(deps.baseUrl, snapshot)}/auth/${appId}/account/passkeys`,
      place: from.place,
      device: from.device,
      requested_at: from.requestedAt,
    },
    locale: user.locale ?? localeOf(ctx),
    expiresInSeconds: seconds.day,
  });
}
