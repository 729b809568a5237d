--@ locks: apps (share row exclusive), a moment: a new table refers to it
--@ serves: programs since 0001
-- What makes an app's pairwise subjects its own. One new table; nothing that serves is locked.

create table subject_salts (
  app_id        text not null references apps,
  salt          text not null,              -- sealed envelope; made once, never replaced: every sub hangs on it
  created_at    timestamptz not null default now(),
  primary key (app_id)
);

alter table subject_salts enable row level security;
alter table subject_salts force row level security;
create policy one_app on subject_salts to latchkey_server using (app_id = current_setting('latchkey.app_id', true)) with check (app_id = current_setting('latchkey.app_id', true));
create policy every_app on subject_salts to latchkey_operator using (true) with check (true);
grant select on subject_salts to latchkey_server;
grant select, insert, update, delete on subject_salts to latchkey_operator;
