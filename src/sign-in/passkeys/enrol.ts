import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import type { MailDeps } from '../../delivery/mail.ts';
import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import { deviceInWords } from '../../http/device-in-words.ts';
import { localeOf } from '../../http/page.ts';
import { originOf } from '../../http/site.ts';
import { newId } from '../../kernel/id.ts';
import { newSecret, type RootKeys } from '../../kernel/secret.ts';
import { type Database, scoped, type Transaction } from '../../storage/database.ts';
import { deviceOf } from '../../users/devices/device-name.ts';
import { countPasskeys, handleOf, insertPasskey, passkeysOf } from '../../users/passkeys/store.ts';
import { lockUser } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { authenticatorName } from './authenticators.ts';
import { isChallengeFor, newChallenge, spendChallenge } from './challenge.ts';
import { challengeOver, passkeyRefused, passkeyTaken, tooManyPasskeys } from './errors.ts';
import { tellOwner } from './notify.ts';
import { creationOptions, judgeAttestation, type Made, readAttestation } from './registration.ts';
import { relyingPartyAt } from './relying-party.ts';

/** What the pages that make passkeys stand on. */
export type PasskeyDeps = { db: Database; mail: MailDeps; rootKeys: RootKeys; baseUrl: string };

/** Somebody who is known, at a page of theirs. */
export type Enrolment = {
  ctx: Context;
  deps: PasskeyDeps;
  snapshot: AppSnapshot;
  userId: string;
  /** Session or interaction: what is begun in one is not finished in another. */
  subject: string;
};

const MOST = 50;
const LONGEST_NAME = 64;

/** What the browser is told to make. Nothing is kept but the handle that this user has from now on. */
export async function beginEnrolment(
  { ctx, deps, snapshot, subject }: Enrolment,
  user: User,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { appId, name, settings } = snapshot.app;
  const { userId, email, profile } = user;
  const q = scoped(deps.db, appId);
  return creationOptions({
    at: relyingPartyAt(deps.baseUrl, snapshot, originOf(ctx, deps)),
    challenge: newChallenge(deps.rootKeys, { appId, purpose: 'registration', subject }),
    handle: await handleOf(q, { appId, userId, fresh: newSecret() }),
    person: { email, name: profile.name },
    app: { name, settings },
    existing: await passkeysOf(q, { appId, userId }),
  });
}

/** A passkey that the browser made and that holds; nothing is kept yet. */
export type Judged = { made: Made; challenge: string; name: string };

/** Problems `passkeys.refused`, `passkeys.attestation_not_allowed` and `passkeys.too_late`. */
export async function judgeEnrolment(at: Enrolment, credential: string | undefined): Promise<Judged> {
  const { ctx, deps, snapshot, subject } = at;
  const { appId, settings } = snapshot.app;
  const attestation = readAttestation(credential);
  const { challenge } = attestation;
  if (!isChallengeFor(deps.rootKeys, { appId, purpose: 'registration', subject }, challenge))
    throw challengeOver();
  const party = relyingPartyAt(deps.baseUrl, snapshot, originOf(ctx, deps));
  const made = await judgeAttestation(attestation, party, settings);
  return { made, challenge, name: nameFor(made, ctx) };
}

/**
 * Adds it, once, and tells the owner, in the caller's transaction. Problems `passkeys.taken`, `passkeys.too_many` and
 * `passkeys.too_late`.
 */
export async function addPasskeyIn(
  tx: Transaction,
  at: Omit<Enrolment, 'subject'>,
  { made, challenge, name }: Judged,
  by: Author,
): Promise<void> {
  const { snapshot, userId } = at;
  const { appId } = snapshot.app;
  if (!(await spendChallenge(tx, appId, challenge))) throw challengeOver();
  // Locked, so that of several at once none slips past the limit.
  const user = await lockUser(tx, appId, userId);
  if (!user || user.disabledAt) throw passkeyRefused();
  if ((await countPasskeys(tx, appId, userId)) >= MOST) throw tooManyPasskeys();
  await keep(tx, { appId, user, made, name, by });
  await tellOwner(tx, at, { user, template: 'passkey-added', passkey: name });
}

async function keep(
  tx: Transaction,
  { appId, user, made, name, by }: { appId: string; user: User; made: Made; name: string; by: Author },
): Promise<void> {
  const { userId } = user;
  const passkeyId = newId('psk');
  if (!(await insertPasskey(tx, { appId, passkeyId, userId, name, ...made }))) throw passkeyTaken();
  const details = { passkey_id: passkeyId, name, aaguid: made.aaguid, format: made.format };
  await audit(tx, { ...by, appId, type: 'passkey.added', userId, result: 'success', details });
}

/** After the model of the authenticator, else after the browser that made it. */
function nameFor({ aaguid }: Made, ctx: Context): string {
  const name = authenticatorName(aaguid) ?? deviceInWords(localeOf(ctx), deviceOf(ctx.get('User-Agent')));
  return (name || 'Passkey').slice(0, LONGEST_NAME);
}

/** A name as somebody typed it, or undefined for none. */
export function passkeyName(text: string | undefined): string | undefined {
  const name = (text ?? '')
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .trim();
  return name === '' ? undefined : [...name].slice(0, LONGEST_NAME).join('');
}
