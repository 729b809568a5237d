import type { EventRow } from '../../events/store.ts';
import { listEventsOfUser } from '../../events/store.ts';
import { audit } from '../../events/audit.ts';
import { notFound } from '../../http/refusals.ts';
import { showPage } from '../../http/page.ts';
import { tellOwner } from '../../sign-in/tell-owner.ts';
import { type Queryable, scoped } from '../../storage/database.ts';
import { deleteUser } from '../../users/delete-user.ts';
import { listDevices } from '../../users/devices/store.ts';
import { normalizeEmail } from '../../users/email.ts';
import { scopesOf } from '../../users/grants/scopes.ts';
import { passkeysOf } from '../../users/passkeys/store.ts';
import { recoveryCodesOf } from '../../users/recovery-codes/store.ts';
import { userById } from '../../users/store.ts';
import { totpOf } from '../../users/totp/store.ts';
import { listTrustedDevices } from '../../users/trusted-devices/store.ts';
import type { User } from '../../users/user.ts';
import { notSignedIn } from './errors.ts';
import { isRecent, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

/** Of each kind; whoever has more is told so in the file. */
const MOST = 1000;
const MOST_EVENTS = 10_000;

export async function showData(visit: Visit, fault?: { typed: string; problem: string }): Promise<void> {
  const { ctx, root, snapshot } = visit;
  const { email } = await ownerOf(visit);
  if (fault) ctx.status = 400;
  showAccount(visit, 'data', {
    email,
    typed: fault?.typed ?? '',
    download_action: `${root}/data/download`,
    delete_action: snapshot.app.settings.self_deletion ? `${root}/data/delete` : null,
    prove_url: isRecent(visit) ? null : urlOf(visit, 'data/prove'),
    problem: fault?.problem ?? null,
  });
}

/** Everything that is known of the person, as one file; no secret, and no digest of one. */
export async function download(visit: Visit): Promise<void> {
  const { ctx, deps, appId, snapshot, session, by } = visit;
  const { userId } = session;
  const user = await ownerOf(visit);
  const q = scoped(deps.db, appId);
  const [sessions, grants, devices, passkeys, factors, activity] = await Promise.all([
    deps.access.listSessions(appId, userId, { limit: MOST }),
    deps.access.listGrants(appId, userId, { limit: MOST }),
    listDevices(q, { appId, userId, limit: MOST }),
    passkeysOf(q, { appId, userId }),
    factorsOf(q, appId, userId),
    everyEvent(visit),
  ]);
  const file = {
    app: { app_id: appId, name: snapshot.app.name },
    made_at: new Date().toISOString(),
    account: presentAccount(user),
    sessions: sessions.map(({ session_id, user_agent, address, clients, created_at, last_active_at }) => ({
      session_id,
      user_agent,
      address,
      applications: clients.map(({ name }) => name),
      created_at,
      last_active_at,
    })),
    devices,
    passkeys: passkeys.map(({ name, createdAt, lastUsedAt }) => ({
      name,
      created_at: createdAt,
      last_used_at: lastUsedAt ?? null,
    })),
    ...factors,
    applications: grants.map(({ client_name: name, payload, created_at, expires_at }) => ({
      name,
      scopes: scopesOf(payload),
      created_at,
      expires_at,
    })),
    activity: activity.map(presentEvent),
    is_complete: activity.length < MOST_EVENTS && Math.max(sessions.length, grants.length) < MOST,
  };
  await audit(q, { ...by, appId, type: 'user.data_downloaded', userId, result: 'success' });
  ctx.set('content-disposition', `attachment; filename="${appId}-account.json"`);
  ctx.set('cache-control', 'no-store');
  ctx.type = 'application/json';
  ctx.body = JSON.stringify(file, null, 2);
}

/** Erases the account of whoever types its address: works without scripts, and is not done by one wrong click. */
export async function deleteAccount(visit: Visit): Promise<void> {
  const { ctx, deps, appId, snapshot, session, form, by } = visit;
  if (!snapshot.app.settings.self_deletion) throw notFound();
  const user = await ownerOf(visit);
  if (normalizeEmail(form.confirm) !== user.email) {
    const typed = (form.confirm ?? '').slice(0, 254);
    return showData(visit, { typed, problem: sentenceOf(visit, 'problem.confirm_email') });
  }
  await deleteUser(deps, {
    appId,
    userId: session.userId,
    by,
    tell: (tx, { email, locale }) =>
      tellOwner(tx, { ctx, deps, snapshot }, { user: { email, locale }, template: 'account-deleted' }),
  });
  showPage(ctx, deps, 'account/deleted', { start_url: ctx.state.startUrl ?? null });
}

async function ownerOf({ deps, appId, session }: Visit): Promise<User> {
  const user = await userById(scoped(deps.db, appId), appId, session.userId);
  if (!user) throw notSignedIn();
  return user;
}

/** That there are some, since when and how many: never a seed or a code, nor a digest of one. */
async function factorsOf(q: Queryable, appId: string, userId: string) {
  const [totp, codes, trusted] = await Promise.all([
    totpOf(q, appId, userId),
    recoveryCodesOf(q, appId, userId),
    listTrustedDevices(q, appId, userId),
  ]);
  return {
    authenticator_app: totp ? { created_at: totp.created_at, last_used_at: totp.last_used_at } : null,
    recovery_codes: codes.created_at ? { created_at: codes.created_at, remaining: codes.remaining } : null,
    trusted_browsers: trusted.map(({ name, created_at, last_used_at, expires_at }) => ({
      name,
      created_at,
      last_used_at,
      expires_at,
    })),
  };
}

/** All of the person's events, a page at a time. */
async function everyEvent({ deps, appId, session }: Visit): Promise<EventRow[]> {
  const q = scoped(deps.db, appId);
  const all: EventRow[] = [];
  for (let after: string | undefined; all.length < MOST_EVENTS; after = all.at(-1)!.event_id) {
    const page = await listEventsOfUser(q, { appId, userId: session.userId, after, limit: MOST });
    all.push(...page);
    if (page.length < MOST) break;
  }
  return all;
}

const presentAccount = (user: User) => ({
  user_id: user.userId,
  email: user.email,
  email_verified: user.emailVerified,
  phone: user.phone ?? null,
  phone_verified: user.phoneVerified,
  profile: user.profile,
  language: user.locale ?? null,
  created_at: user.createdAt,
  updated_at: user.updatedAt,
});

/** Who did it is told as a kind: an operator's own id is theirs. */
const presentEvent = (row: EventRow) => ({
  type: row.type,
  at: row.occurred_at,
  by: row.actor_type,
  result: row.result,
  address: row.address,
  user_agent: row.user_agent,
});
