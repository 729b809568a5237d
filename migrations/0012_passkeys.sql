--@ locks: users (share row exclusive), a moment: a new table refers to it
--@ serves: programs since 0001
-- Passkeys (WebAuthn credentials) of users. Two new tables; nothing that serves is locked.

-- What an authenticator keeps in place of the user: random, made once, and says nothing about who it is.
create table passkey_handles (
  app_id        text not null,
  user_id       text not null,
  handle        text not null,              -- base64url
  created_at    timestamptz not null default now(),
  primary key (app_id, user_id),
  foreign key (app_id, user_id) references users on delete cascade
);
create unique index passkey_handles_by_handle on passkey_handles (app_id, handle);

create table passkeys (
  app_id          text not null,
  passkey_id      text not null,
  user_id         text not null,
  -- Chosen by the authenticator, base64url. Unique per app only: what another app knows must not show here.
  credential_id   text not null,
  public_key      bytea not null,           -- COSE
  counter         bigint not null,
  rp_id           text not null,            -- the host that the browser tied it to
  name            text not null,
  aaguid          text not null,
  transports      text[] not null default '{}',
  backup_eligible boolean not null,
  backed_up       boolean not null,
  format          text not null,            -- of the attestation
  created_at      timestamptz not null default now(),
  last_used_at    timestamptz,
  primary key (app_id, passkey_id),
  foreign key (app_id, user_id) references passkey_handles on delete cascade
);
create unique index passkeys_by_credential on passkeys (app_id, credential_id);
create index passkeys_of_user on passkeys (app_id, user_id, passkey_id);

do $$
declare
  t text;
begin
  foreach t in array array['passkey_handles', 'passkeys'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy one_app on %I to latchkey_server using (app_id = current_setting(''latchkey.app_id'', true)) with check (app_id = current_setting(''latchkey.app_id'', true))', t);
    execute format('create policy every_app on %I to latchkey_operator using (true) with check (true)', t);
    execute format('grant select, insert, update, delete on %I to latchkey_server, latchkey_operator', t);
  end loop;
end $$;
