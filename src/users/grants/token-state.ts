import type { Queryable } from '../../storage/database.ts';
import { each, sql } from '../../storage/sql.ts';
import type { PersonJson } from '../store.ts';
import type { GrantPayload } from './store.ts';

export type AccessTokenState = {
  user_id: string;
  person: PersonJson;
  grant_payload: GrantPayload;
  grant_remaining: string;
  grant_revision: string;
};

/** In one statement: the grant lives (one bound to a session dies with it), the user may sign in, the token was not denied. */
export async function accessTokenState(
  q: Queryable,
  at: { appId: string; jti: string; grantId: string },
): Promise<AccessTokenState | undefined> {
  const [row] = await q.query<AccessTokenState>(
    sql`select asked.nr, found.*
        from unnest(${each(at.jti)}::text[], ${each(at.grantId)}::text[]) with ordinality as asked(jti, grant_id, nr) cross join lateral (
          select g.user_id, to_jsonb(u) as person, g.payload as grant_payload, extract(epoch from g.expires_at - now()) as grant_remaining,
            g.revision as grant_revision
          from grants g join people u using (app_id, user_id)
          where g.app_id = ${at.appId} and g.grant_id = asked.grant_id
            and g.revoked_at is null and g.expires_at > now() and u.disabled_at is null
            and not exists (select from denied_tokens d where d.app_id = g.app_id and d.jti = asked.jti) limit 1
        ) found`,
  );
  return row;
}

export async function isDenied(q: Queryable, appId: string, jti: string): Promise<boolean> {
  const rows =
    await q.query(sql`select asked.nr from unnest(${each(jti)}::text[]) with ordinality as asked(jti, nr)
        where exists (select from denied_tokens d where d.app_id = ${appId} and d.jti = asked.jti)`);
  return rows.length === 1;
}

/** Revokes one JWT access token until it would have expired anyway. */
export async function denyToken(
  q: Queryable,
  at: { appId: string; jti: string; ttlSeconds: number },
): Promise<void> {
  await q.query(
    sql`insert into denied_tokens (app_id, jti, expires_at) values (${at.appId}, ${at.jti}, now() + ${at.ttlSeconds} * interval '1 second')
        on conflict do nothing`,
  );
}

export type CodeState = {
  spent_for: string | null;
  grant_payload: GrantPayload | null;
  grant_remaining: string | null;
  /** Whose grant that is. */
  person: PersonJson | null;
};

/** Whether a code was spent and how many seconds ago, and its grant if that lives. */
export async function codeState(
  q: Queryable,
  at: { appId: string; kind: 'code' | 'device_code'; digest: string; grantId: string },
): Promise<CodeState> {
  const { appId, kind, digest, grantId } = at;
  const [row] = await q.query<CodeState>(
    sql`select asked.nr, found.*
        from unnest(${each(digest)}::text[], ${each(grantId)}::text[]) with ordinality as asked(digest, grant_id, nr) cross join lateral (
          select
            (select extract(epoch from now() - spent_at) from spent where app_id = ${appId} and kind = ${kind} and digest = asked.digest) as spent_for,
            g.payload as grant_payload, extract(epoch from g.expires_at - now()) as grant_remaining, to_jsonb(u) as person
          from (select 1) as one
          left join grants g on g.app_id = ${appId} and g.grant_id = asked.grant_id and g.revoked_at is null and g.expires_at > now()
          left join people u on u.app_id = g.app_id and u.user_id = g.user_id limit 1
        ) found`,
  );
  return row!;
}
