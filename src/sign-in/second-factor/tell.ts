import { type MailDeps, enqueueMail } from '../../delivery/mail.ts';
import { seconds } from '../../kernel/duration.ts';
import type { Transaction } from '../../storage/database.ts';
import type { User } from '../../users/user.ts';
import type { AskedFrom } from '../../users/email-changes/store.ts';

/** What a user is told by mail: the templates of these mails. */
export type FactorNews =
  | 'totp-enabled'
  | 'totp-removed'
  | 'recovery-codes-made'
  | 'recovery-code-used'
  | 'factors-removed';

type Told = {
  user: Pick<User, 'appId' | 'email' | 'locale'>;
  news: FactorNews;
  app: { name: string; url: string | null };
  /** undefined: an operator did it. */
  from: AskedFrom | undefined;
  /** Of this request; the user's own goes before. */
  locale: string;
  codesLeft?: number | undefined;
};

/** Tells the user that somebody, they themselves it is hoped, changed what protects the account. */
export async function tellOfFactors(tx: Transaction, deps: { mail: MailDeps }, told: Told): Promise<void> {
  const { user, app, from } = told;
  await enqueueMail(tx, deps.mail, {
    appId: user.appId,
    to: user.email,
    template: told.news,
    model: {
      app_name: app.name,
      url: app.url,
      place: from?.place ?? null,
      device: from?.device ?? null,
      requested_at: from?.requestedAt ?? new Date().toISOString(),
      codes_left: told.codesLeft ?? 0,
    },
    locale: user.locale ?? told.locale,
    expiresInSeconds: seconds.day,
  });
}
