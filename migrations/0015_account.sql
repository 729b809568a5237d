--@ locks: users (share row exclusive), a moment: new tables refer to it
--@ locks: audit_events (share), a moment: its index is built beforehand
--@ serves: programs since 0001
-- What people change about their accounts themselves. Two new tables, and an index that the list of a user's own
-- events needs: making it holds up writes to the audit trail for as long as it takes to read it once.

-- A new e-mail address that is not proved yet: one for each user, a newer one takes its place.
create table email_changes (
  app_id        text not null,
  user_id       text not null,
  digest        text not null,              -- of the secret in the mailed link
  new_email     text not null,              -- normalized
  is_open       boolean not null,           -- false: the address has an account already, and nothing confirms this
  code_mac      text,                       -- keyed; 'refused' when the mailbox's owner said that it was not them
  tries         integer not null default 0, -- codes typed
  asked_from    jsonb not null,             -- place, device, time, as the mail and the page of the code tell them
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  primary key (app_id, user_id),
  foreign key (app_id, user_id) references users on delete cascade
);
create unique index email_changes_by_digest on email_changes (app_id, digest);
create index email_changes_expired on email_changes (expires_at);

-- What the address that was replaced can undo for a while.
create table email_undos (
  app_id        text not null,
  digest        text not null,              -- of the secret in the mailed link
  user_id       text not null,
  old_email     text not null,
  asked_at      timestamptz not null,       -- when the change was asked for
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  primary key (app_id, digest),
  foreign key (app_id, user_id) references users on delete cascade
);
create index email_undos_of_user on email_undos (app_id, user_id, created_at);
create index email_undos_expired on email_undos (expires_at);

create index audit_events_of_user on audit_events (app_id, user_id, event_id desc) where user_id is not null;

do $$
declare
  t text;
begin
  foreach t in array array['email_changes', 'email_undos']
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy one_app on %I to latchkey_server using (app_id = current_setting(''latchkey.app_id'', true)) with check (app_id = current_setting(''latchkey.app_id'', true))', t);
    execute format('create policy every_app on %I to latchkey_operator using (true) with check (true)', t);
    execute format('grant select, insert, update, delete on %I to latchkey_server, latchkey_operator', t);
  end loop;
end $$;
