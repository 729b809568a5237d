--@ locks: signing_keys (access exclusive), a moment: few rows, and no column is written into them
--@ locks: deployment_keys (access exclusive), a moment: as above
--@ serves: programs since 0001
-- When a signing key begins to sign and when it leaves the published set, decided by this database's clock.
-- Locks signing_keys and deployment_keys for a moment; both are small.

do $$
declare
  t text;
begin
  foreach t in array array['signing_keys', 'deployment_keys'] loop
    execute format('alter table %I
      add column active_at timestamptz not null default now(), -- signs from here on, until a newer one does
      add column retires_at timestamptz,                       -- leaves the published set here
      add column compromised_at timestamptz,                   -- taken out at once; nothing it signed counts
      alter column private_jwk drop not null', t);             -- erased once it signs no more
  end loop;
end $$;

-- The owner is under the policies too, and none names it.
alter table signing_keys no force row level security;
update signing_keys set active_at = created_at, compromised_at = retired_at;
-- Superseded keys of the first release had no end. Tokens live a day at most.
update signing_keys old set retires_at = now() + interval '25 hours'
where retired_at is null and exists (
  select from signing_keys newer
  where newer.app_id = old.app_id and newer.retired_at is null and (newer.created_at, newer.key_id) > (old.created_at, old.key_id));
alter table signing_keys force row level security;

update deployment_keys set active_at = created_at, compromised_at = retired_at;
update deployment_keys old set retires_at = now() + interval '25 hours'
where retired_at is null and exists (
  select from deployment_keys newer
  where newer.retired_at is null and (newer.created_at, newer.key_id) > (old.created_at, old.key_id));
