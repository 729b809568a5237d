--@ locks: apps (share row exclusive), a moment: a new table refers to it
--@ serves: programs since 0001
-- The hook that an app's tokens are asked about before they are issued. One new table; nothing that serves is locked.

create table token_hooks (
  app_id              text not null references apps,
  url                 text not null,
  timeout_ms          integer not null,
  grant_types         text[],                 -- null: every one
  secret              text not null,          -- sealed envelope
  previous_secret     text,                   -- sealed envelope: signs beside the other until it expires
  previous_expires_at timestamptz,
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now(),
  primary key (app_id)
);

alter table token_hooks enable row level security;
alter table token_hooks force row level security;
create policy one_app on token_hooks to latchkey_server using (app_id = current_setting('latchkey.app_id', true)) with check (app_id = current_setting('latchkey.app_id', true));
create policy every_app on token_hooks to latchkey_operator using (true) with check (true);
grant select on token_hooks to latchkey_server;
grant select, insert, update, delete on token_hooks to latchkey_operator;
