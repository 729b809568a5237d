--@ locks: users (access exclusive), a moment: a column without a value, and new tables refer to it
--@ serves: programs since 0001
-- What a person shows beside the first proof, and who was let off showing it for a while.

alter table users add column access_ended_at timestamptz; -- a sign-in that was begun before this one is never finished

-- One authenticator app per user. `last_step` is the newest time step whose code was accepted: no code twice (RFC 6238 §5.2).
create table totp_authenticators (
  app_id        text not null,
  user_id       text not null,
  seed          text not null,              -- sealed envelope
  last_step     bigint not null,
  created_at    timestamptz not null default now(),
  last_used_at  timestamptz,
  primary key (app_id, user_id),
  foreign key (app_id, user_id) references users on delete cascade
);

-- Digests of 120 random bits each.
create table recovery_codes (
  app_id        text not null,
  user_id       text not null,
  digest        text not null,
  created_at    timestamptz not null default now(),
  used_at       timestamptz,
  primary key (app_id, user_id, digest),
  foreign key (app_id, user_id) references users on delete cascade
);

-- Browsers that need not show a second factor until they expire: a digest of the cookie's 256 random bits.
create table trusted_devices (
  app_id        text not null,
  user_id       text not null,
  device_id     text not null,              -- dev_…
  digest        text not null,
  name          text not null,
  created_at    timestamptz not null default now(),
  last_used_at  timestamptz not null default now(),
  expires_at    timestamptz not null,
  primary key (app_id, user_id, device_id),
  unique (app_id, digest),
  foreign key (app_id, user_id) references users on delete cascade
);
create index trusted_devices_expired on trusted_devices (expires_at);

-- When an app that requires a second factor first asked somebody to set one up: what the days of grace are counted from.
create table second_factor_requests (
  app_id        text not null,
  user_id       text not null,
  first_asked_at timestamptz not null default now(),
  primary key (app_id, user_id),
  foreign key (app_id, user_id) references users on delete cascade
);

do $$
declare
  t text;
begin
  foreach t in array array['totp_authenticators', 'recovery_codes', 'trusted_devices', 'second_factor_requests']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy one_app on %I to latchkey_server using (app_id = current_setting(''latchkey.app_id'', true)) with check (app_id = current_setting(''latchkey.app_id'', true))', t);
    execute format('create policy every_app on %I to latchkey_operator using (true) with check (true)', t);
    execute format('grant select, insert, update, delete on %I to latchkey_server, latchkey_operator', t);
  end loop;
end $$;
