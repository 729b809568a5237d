--@ locks: apps (share row exclusive), a moment: a new table refers to it
--@ locks: clients (share row exclusive), a moment: a new table refers to it
--@ serves: programs since 0001
-- Clients that came by themselves: by dynamic registration (RFC 7591), or by a document at the address that is their
-- client_id. Two new tables; nothing that serves is locked.

create table registered_clients (
  app_id        text not null,
  client_id     text not null,
  kind          text not null check (kind in ('dynamic', 'document')),
  digest        text,                       -- of the registration access token (RFC 7592); dynamic ones only
  good_until    timestamptz,                -- of the document, as HTTP allows; documents only
  seen_at       timestamptz not null default now(),
  primary key (app_id, client_id),
  foreign key (app_id, client_id) references clients on delete cascade
);
create index registered_clients_seen on registered_clients (seen_at);

-- Initial access tokens (RFC 7591 §3): who holds one may register.
create table registration_tokens (
  app_id        text not null references apps,
  token_id      text not null,
  name          text not null,
  digest        text not null,
  uses_left     integer,                    -- null: as many as it likes
  created_at    timestamptz not null default now(),
  expires_at    timestamptz,
  primary key (app_id, token_id)
);
create unique index registration_tokens_by_digest on registration_tokens (app_id, digest);
create index registration_tokens_expired on registration_tokens (expires_at) where expires_at is not null;

do $$
declare
  t text;
begin
  foreach t in array array['registered_clients', 'registration_tokens'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy one_app on %I to latchkey_server using (app_id = current_setting(''latchkey.app_id'', true)) with check (app_id = current_setting(''latchkey.app_id'', true))', t);
    execute format('create policy every_app on %I to latchkey_operator using (true) with check (true)', t);
    execute format('grant select, insert, update, delete on %I to latchkey_operator', t);
    -- Like the app's clients, written by the operator's role alone.
    execute format('grant select on %I to latchkey_server', t);
  end loop;
end $$;
