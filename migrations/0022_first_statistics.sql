--@ locks: nothing that serves
--@ serves: programs since 0001
-- Plans are made once for each connection and kept. Made while tables are empty and nothing is known of them, they look for a
-- session among all of its app's instead of by its digest, and stay like that until autovacuum has come by: each request of
-- the first busy minute reads every row. So a new database gets to know what its tables will look like, from a few rows that
-- are taken away again: few apps, many different digests. Where anything was ever stored nothing is done.

do $$
declare
  t text;
  hot constant text[] := array['apps', 'clients', 'users', 'identifiers', 'passwords', 'known_devices', 'sign_in_failures',
    'sessions', 'session_clients', 'grants', 'refresh_tokens', 'spent', 'denied_tokens', 'ephemeral', 'passkey_handles', 'passkeys',
    'recovery_codes', 'trusted_devices', 'totp_authenticators', 'audit_events', 'jobs'];
  sample constant text := 'first-statistics';
  -- So few that autovacuum, which counts what was added and taken away, does not find the empty tables worth a visit.
  rows constant int := 20;
  later constant timestamptz := now() + interval '10 years';
begin
  -- Not by its rows: of those an owner without row-level security's leave sees none.
  if pg_relation_size('users') > 0 then
    return;
  end if;
  foreach t in array hot loop
    execute format('alter table %I no force row level security', t);
  end loop;

  insert into apps (app_id, name) values (sample, sample);
  insert into clients (app_id, client_id, name, type) values (sample, sample, sample, 'web');
  insert into users (app_id, user_id) select sample, 'user-' || n from generate_series(1, rows) n;
  insert into identifiers (app_id, kind, value, user_id) select sample, 'email', 'mail-' || n, 'user-' || n from generate_series(1, rows) n;
  insert into passwords (app_id, user_id, hash) select sample, 'user-' || n, '$argon2id$' || n from generate_series(1, rows) n;
  insert into known_devices (app_id, user_id, device) select sample, 'user-' || n, 'device-' || n from generate_series(1, rows) n;
  insert into sign_in_failures (app_id, subject, origin) select sample, 'subject-' || n, 'origin-' || n from generate_series(1, rows) n;
  insert into sessions (app_id, uid, session_id, digest, user_id, payload, expires_at, absolute_expires_at)
    select sample, 'uid-' || n, 'id-' || n, 'digest-' || n, 'user-' || n, '{}', later, later from generate_series(1, rows) n;
  insert into session_clients (app_id, session_uid, client_id, issuer, issuer_kind, sid)
    select sample, 'uid-' || n, sample, sample, 'own', 'sid-' || n from generate_series(1, rows) n;
  insert into grants (app_id, grant_id, user_id, client_id, payload, expires_at)
    select sample, 'grant-' || n, 'user-' || n, sample, '{}', later from generate_series(1, rows) n;
  insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, payload, expires_at)
    select sample, 'digest-' || n, 'own', 'grant-' || n, sample, 'user-' || n, '{}', later from generate_series(1, rows) n;
  insert into spent (app_id, kind, digest, expires_at) select sample, 'code', 'digest-' || n, later from generate_series(1, rows) n;
  insert into denied_tokens (app_id, jti, expires_at) select sample, 'jti-' || n, later from generate_series(1, rows) n;
  insert into ephemeral (app_id, key, value, expires_at) select sample, 'key-' || n, 'value', later from generate_series(1, rows) n;
  insert into passkey_handles (app_id, user_id, handle) select sample, 'user-' || n, 'handle-' || n from generate_series(1, rows) n;
  insert into passkeys (app_id, passkey_id, user_id, credential_id, public_key, counter, rp_id, name, aaguid, backup_eligible, backed_up, format)
    select sample, 'passkey-' || n, 'user-' || n, 'credential-' || n, '', 0, sample, sample, sample, false, false, 'none' from generate_series(1, rows) n;
  insert into recovery_codes (app_id, user_id, digest) select sample, 'user-' || n, 'digest-' || n from generate_series(1, rows) n;
  insert into trusted_devices (app_id, user_id, device_id, digest, name, expires_at)
    select sample, 'user-' || n, 'device-' || n, 'digest-' || n, sample, later from generate_series(1, rows) n;
  insert into totp_authenticators (app_id, user_id, seed, last_step) select sample, 'user-' || n, 'seed', 0 from generate_series(1, rows) n;
  insert into audit_events (app_id, event_id, type, actor_type, result) select sample, 'event-' || n, sample, 'system', 'success' from generate_series(1, rows) n;
  insert into jobs (app_id, job_id, kind, payload) select sample, 'job-' || n, sample, '' from generate_series(1, rows) n;

  foreach t in array hot loop
    execute format('analyze %I', t);
  end loop;

  foreach t in array array['jobs', 'audit_events', 'ephemeral', 'denied_tokens', 'spent', 'sign_in_failures', 'users', 'clients', 'apps'] loop
    execute format('delete from %I where app_id = %L', t, sample);
  end loop;
  foreach t in array hot loop
    execute format('alter table %I force row level security', t);
  end loop;
end $$;
