import type { Context } from 'koa';
import type { AppSnapshot } from '../apps/app.ts';
import { enqueueMail, type MailDeps } from '../delivery/mail.ts';
import { clientAddress } from '../http/client-address.ts';
import type { MailModel } from '../http/mails.ts';
import { localeOf } from '../http/page.ts';
import { seconds } from '../kernel/duration.ts';
import { homeOrigin } from '../oidc/served.ts';
import type { Transaction } from '../storage/database.ts';
import { type Places, placeInWords } from '../users/places/places.ts';
import type { User } from '../users/user.ts';
import { askedFrom } from './asked-from.ts';

export type TellDeps = {
  mail: MailDeps;
  config: { baseUrl: string };
  places?: Pick<Places, 'of'> | undefined;
};

type From = { ctx: Context; deps: TellDeps; snapshot: AppSnapshot };
type Told = {
  user: Pick<User, 'email' | 'locale'>;
  template: string;
  /** Instead of the user's present address. */
  to?: string | undefined;
  model?: MailModel;
  expiresInSeconds?: number;
  discard?: boolean;
};

/** Tells the owner of an account what was done to it, from where, by a mail that is queued in the caller's transaction. */
export async function tellOwner(tx: Transaction, { ctx, deps, snapshot }: From, told: Told): Promise<void> {
  const { user, template, to = user.email, model, expiresInSeconds = seconds.day, discard } = told;
  const locale = user.locale ?? localeOf(ctx);
  const { place, device, requestedAt } = askedFrom(ctx);
  const town = placeInWords(deps.places?.of(clientAddress(ctx), locale));
  await enqueueMail(tx, deps.mail, {
    appId: snapshot.app.appId,
    to,
    template,
    model: {
      app_name: snapshot.app.name,
      url: (ctx.state.startUrl as string | undefined) ?? null,
      place: town === null ? place : `${town} (${place})`,
      device,
      requested_at: requestedAt,
      ...model,
    },
    locale,
    expiresInSeconds,
    ...(discard === undefined ? {} : { discard }),
  });
}

/** A page of the account where the app is at home: for links in mails, which no request at an issuer asked for. */
export function accountUrl({ deps, snapshot }: Pick<From, 'deps' | 'snapshot'>, path: string): string {
  return `${homeOrigin(deps.config.baseUrl, snapshot)}/auth/${snapshot.app.appId}/account/${path}`;
}
