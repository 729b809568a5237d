import { createHash } from 'node:crypto';
import { emailOf, type Stores, type Target } from '../targets.ts';
import { offlineSignIn, refreshAnyone, type Workload } from '../workloads.ts';
import { fillDatabase, steps } from './database.ts';

const APP = 'bench';

/**
 * Signs in everybody of the table: the first through the pages, all others as copies of what that left in Postgres, with
 * ids of their own and a refresh token that `tokenOf` knows.
 */
export async function fillSessions(stores: Stores, database: string, target: Target): Promise<void> {
  await offlineSignIn(target)(0);
  await fillDatabase(stores, database, async (db) => {
    for (const [from, to] of steps(1, target.people - 1, 20_000))
      await db.query(COPY, [APP, emailOf(0), from, to]);
  });
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url');
const tokenOf = (person: number): string => digestOf(`refresh ${person}`);

/** Each operation is somebody else's refresh. */
export const refreshOfAnyone: Workload = {
  id: 'refresh_anyone',
  title: 'refresh with rotation, of anyone signed in',
  begin: (target, slot) => refreshAnyone(target, slot, tokenOf),
};

const digest = (text: string): string => `translate(encode(sha256((${text})::bytea), 'base64'), '+/=', '-_')`;

/** $1 app, $2 address of the one who signed in, $3 to $4 the people. */
const COPY = `
  with first as (
    select g.app_id, g.user_id as old_user, g.grant_id as old_grant, s.uid as old_uid
    from identifiers e join grants g using (app_id, user_id)
    join sessions s on s.app_id = g.app_id and s.user_id = g.user_id
    where e.app_id = $1 and e.kind = 'email' and e.value = $2
    order by g.created_at desc, s.created_at desc limit 1
  ), made as materialized (
    select f.*, i.user_id, n, left(${digest("'session ' || n")}, length(f.old_uid)) as uid,
      left(${digest("'grant ' || n")}, length(f.old_grant)) as grant_id, ${digest(digest("'refresh ' || n"))} as token
    from generate_series($3::int, $4::int) n cross join first f
    join identifiers i on i.app_id = $1 and i.kind = 'email' and i.value = replace($2, '0', n::text)
  ), s as (
    insert into sessions (app_id, uid, session_id, digest, user_id, payload, user_agent, address, expires_at, absolute_expires_at)
    select m.app_id, m.uid, 'ses_' || md5('session ' || m.n), ${digest("'cookie ' || m.n")}, m.user_id,
      replace(replace(o.payload::text, m.old_user, m.user_id), m.old_grant, m.grant_id)::jsonb,
      o.user_agent, o.address, o.expires_at, o.absolute_expires_at
    from made m join sessions o on o.app_id = m.app_id and o.uid = m.old_uid
  ), c as (
    insert into session_clients (app_id, session_uid, client_id, issuer, issuer_kind, sid)
    select m.app_id, m.uid, o.client_id, o.issuer, o.issuer_kind, md5('sid ' || m.n)
    from made m join session_clients o on o.app_id = m.app_id and o.session_uid = m.old_uid
  ), g as (
    insert into grants (app_id, grant_id, user_id, client_id, session_uid, payload, expires_at)
    select m.app_id, m.grant_id, m.user_id, o.client_id, case when o.session_uid is not null then m.uid end,
      replace(o.payload::text, m.old_user, m.user_id)::jsonb, o.expires_at
    from made m join grants o on o.app_id = m.app_id and o.grant_id = m.old_grant
  )
  insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, session_uid, payload, expires_at)
  select m.app_id, m.token, o.issuer, m.grant_id, o.client_id, m.user_id, case when o.session_uid is not null then m.uid end,
    replace(replace(replace(o.payload::text, m.old_user, m.user_id), m.old_grant, m.grant_id), m.old_uid, m.uid)::jsonb, o.expires_at
  from made m join refresh_tokens o on o.app_id = m.app_id and o.grant_id = m.old_grant`;
