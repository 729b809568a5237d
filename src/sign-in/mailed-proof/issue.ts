import { audit } from '../../events/audit.ts';
import { enqueueMail } from '../../delivery/mail.ts';
import { localeOf } from '../../http/page.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';
import { pagesOrigin } from '../../oidc/issuers.ts';
import { scoped } from '../../storage/database.ts';
import { userByEmail } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { askedFrom } from '../asked-from.ts';
import { authorOf } from '../author.ts';
import { deviceOf } from '../device-cookie.ts';
import { isDeviceKnown } from '../lockout/reserve.ts';
import { throttleNetwork } from '../lockout/network.ts';
import { interactionPath, type Step } from '../step.ts';
import { codeOf, macOfCode } from './code.ts';
import { MAILS_PER_WINDOW, type Proof, type ProofKind } from './proof.ts';
import { countMail, keepCode, keepProof } from './store.ts';

export type Ask = {
  kind: ProofKind;
  /** Normalized. */
  email: string;
  /** Segment of the link's path, before the secret. */
  path: string;
  ttlSeconds: number;
  /** Whether the mail itself holds six digits; otherwise a link draws them when it is opened elsewhere. */
  withCode?: boolean;
  /** Sign-up only. */
  passwordHash?: string;
  /** Which mail this address gets; undefined: none, at the same cost. `link` is for that mail alone. */
  mailFor(user: User | undefined, link: string): { template: string; url: string | null } | undefined;
};

/**
 * Makes a link and queues its mail. The same statements, in the same order, whether or not the address has an
 * account and whether or not a mail goes out; sending happens elsewhere, later. Problem `sign_in.too_many` per network.
 */
export async function issueProof(step: Step, ask: Ask): Promise<void> {
  const { ctx, deps, appId, uid } = step;
  const { kind, email, ttlSeconds } = ask;
  await throttleNetwork(deps, ctx, { appId, what: 'mails' });
  const isWithinLimit = (await countMail(deps.ephemeral, appId, email)) <= MAILS_PER_WINDOW;
  const user = await userByEmail(scoped(deps.db, appId), appId, email);
  const device = deviceOf(ctx, deps.config, appId);
  const isKnown = await isDeviceKnown(deps.db, { appId, userId: user?.userId, device });
  const secret = newSecret();
  const proof: Proof = {
    kind,
    digest: digestOf(secret),
    uidDigest: digestOf(uid),
    email,
    userId: user?.userId,
    asker: device !== undefined && isKnown ? 'known' : 'stranger',
    askedFrom: askedFrom(ctx),
    passwordHash: ask.passwordHash,
    locale: localeOf(ctx),
  };
  // Kept before it is mailed. For addresses without an account too: typing codes must look the same there.
  await keepProof(deps.ephemeral, appId, proof, { ttlSeconds, isKept: isWithinLimit });
  if (ask.withCode) {
    const at = { appId, digest: proof.digest, kind };
    const code = codeOf(deps.rootKeys, appId, secret);
    await keepCode(deps.ephemeral, at, macOfCode(deps.rootKeys, proof.digest, code), ttlSeconds);
  }
  const origin = pagesOrigin(deps.config.baseUrl, step.interaction.issuer);
  const link = `${origin}${interactionPath(step)}/${ask.path}/${secret}`;
  const mail = user?.disabledAt ? undefined : ask.mailFor(user, link);
  await deps.db.transaction(appId, async (tx) => {
    await enqueueMail(tx, deps.mail, {
      appId,
      to: email,
      template: mail?.template ?? 'magic-link',
      model: {
        ...mailModel(step, proof, { url: mail?.url ?? link, ttlSeconds }),
        ...(ask.withCode ? { code: codeOf(deps.rootKeys, appId, secret) } : {}),
      },
      locale: user?.locale ?? localeOf(ctx),
      expiresInSeconds: ttlSeconds,
      discard: mail === undefined || !isWithinLimit,
    });
    await audit(tx, {
      ...authorOf(ctx),
      appId,
      type: `${kind}.requested`,
      userId: user?.userId,
      clientId: step.interaction.client.clientId,
      result: isWithinLimit ? 'success' : 'failure',
    });
  });
}

function mailModel(
  step: Step,
  proof: Proof,
  mail: { url: string | null; ttlSeconds: number },
): Record<string, unknown> {
  return {
    app_name: step.snapshot.app.name,
    url: mail.url,
    place: proof.askedFrom.place,
    device: proof.askedFrom.device,
    requested_at: proof.askedFrom.requestedAt,
    expires_minutes: Math.max(1, Math.round(mail.ttlSeconds / seconds.minute)),
    expires_hours: Math.max(1, Math.round(mail.ttlSeconds / seconds.hour)),
  };
}
