--@ locks: apps (access exclusive), a moment: a column without a value, and a new table refers to it
--@ serves: programs since 0001
-- The picture that an app's pages and mails show. One new table and one nullable column; nothing that serves is locked.

alter table apps add column logo jsonb;       -- {"digest", "width", "height"}: which picture is shown; null: none

-- Always a PNG that we wrote ourselves, of at most 17 kB.
create table app_logos (
  app_id        text not null references apps,
  digest        text not null,                -- SHA-256 of png, base64url
  png           bytea not null,
  created_at    timestamptz not null default now(),
  primary key (app_id)
);

alter table app_logos enable row level security;
alter table app_logos force row level security;
create policy one_app on app_logos to latchkey_server using (app_id = current_setting('latchkey.app_id', true)) with check (app_id = current_setting('latchkey.app_id', true));
create policy every_app on app_logos to latchkey_operator using (true) with check (true);
grant select on app_logos to latchkey_server;
grant select, insert, update, delete on app_logos to latchkey_operator;
