--@ locks: apps (share row exclusive), a moment: new tables refer to it
--@ serves: programs since 0001
-- An app's APIs: what its access tokens may be for (RFC 8707). Two new tables; nothing that serves is locked.

create table apis (
  app_id           text not null references apps,
  api_id           text not null,
  identifier       text not null,               -- the audience, as the operator wrote it
  name             text not null,
  scopes           jsonb not null default '[]', -- [{name, description, default}]
  access_token_ttl integer,                     -- seconds; null: as the app's
  server_clients   text[] not null default '{}',
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  primary key (app_id, api_id)
);

-- An identifier belongs to one app in the whole deployment. Read and written by the operator's role alone.
create table api_routes (
  identifier    text primary key,               -- as URL parsers write it: what compares equal is equal
  owner_app     text not null references apps,
  api_id        text not null
);

alter table apis enable row level security;
alter table apis force row level security;
create policy one_app on apis to latchkey_server using (app_id = current_setting('latchkey.app_id', true)) with check (app_id = current_setting('latchkey.app_id', true));
create policy every_app on apis to latchkey_operator using (true) with check (true);
grant select on apis to latchkey_server;
grant select, insert, update, delete on apis, api_routes to latchkey_operator;
