--@ locks: sessions (share row exclusive), a moment: a new table refers to it, its index is built beforehand
--@ locks: clients (share row exclusive), a moment: a new table refers to it
--@ serves: programs since 0001
-- Which clients a session was used for, and at which issuers: whoever ends it tells each of them
-- (OpenID Connect Back-Channel Logout 1.0). Locks: writers of sessions wait while the one index is built.

create table session_clients (
  app_id        text not null,
  session_uid   text not null,
  client_id     text not null,
  issuer        text not null,              -- its URL: what ID tokens of this use name as iss
  issuer_kind   text not null check (issuer_kind in ('own', 'shared')), -- whose keys sign
  sid           text not null,              -- as in the client's ID tokens
  first_used_at timestamptz not null default now(),
  primary key (app_id, session_uid, client_id, issuer),
  foreign key (app_id, session_uid) references sessions on delete cascade,
  foreign key (app_id, client_id) references clients on delete cascade
);
create index session_clients_of_client on session_clients (app_id, client_id);

alter table session_clients enable row level security;
alter table session_clients force row level security;
create policy one_app on session_clients to latchkey_server
  using (app_id = current_setting('latchkey.app_id', true)) with check (app_id = current_setting('latchkey.app_id', true));
create policy every_app on session_clients to latchkey_operator using (true) with check (true);
grant select, insert, update, delete on session_clients to latchkey_server, latchkey_operator;

-- What the sweep looks for: sessions whose limit has passed and that nobody ended.
create index sessions_to_end on sessions (expires_at) where ended_at is null;
