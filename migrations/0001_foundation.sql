--@ locks: nothing that serves
--@ serves: programs since 0001
-- The first schema. Locks nothing that serves: it runs on an empty database.
-- Every table with an app_id is under forced row-level security (see the end); tables without one hold
-- nothing of any app, or are read by the operator's role alone.

create table deployment_keys (
  key_id        text primary key,
  algorithm     text not null,
  public_jwk    jsonb not null,
  private_jwk   text not null,              -- sealed envelope
  created_at    timestamptz not null default now(),
  retired_at    timestamptz
);

-- A row stays for ever: a name once used is never given again.
create table apps (
  app_id        text primary key check (app_id ~ '^[a-z][a-z0-9]*([-_][a-z0-9]+)*$' and length(app_id) between 3 and 48),
  name          text not null,
  settings      jsonb not null default '{}',
  revision      bigint not null default 1,  -- grows with every change of the app, its clients or its keys
  built_in      boolean not null default false,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  disabled_at   timestamptz,
  deleted_at    timestamptz
);

create table clients (
  app_id        text not null references apps,
  client_id     text not null,
  name          text not null,
  type          text not null check (type in ('web', 'spa', 'native', 'service')),
  redirect_uris             text[] not null default '{}',
  post_logout_redirect_uris text[] not null default '{}',
  allowed_origins           text[] not null default '{}',
  scopes        text[] not null default '{}',
  settings      jsonb not null default '{}',
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  disabled_at   timestamptz,
  primary key (app_id, client_id)
);

-- Which app a client id belongs to, across the deployment. Read and written by the operator's role alone.
create table client_routes (
  client_id     text primary key,
  owner_app     text not null references apps
);

create table client_secrets (
  app_id        text not null,
  client_id     text not null,
  secret_id     text not null,
  digest        text not null,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz,
  revoked_at    timestamptz,
  primary key (app_id, client_id, secret_id),
  foreign key (app_id, client_id) references clients on delete cascade
);

create table signing_keys (
  app_id        text not null references apps,
  key_id        text not null,
  algorithm     text not null,
  public_jwk    jsonb not null,
  private_jwk   text not null,              -- sealed envelope
  created_at    timestamptz not null default now(),
  retired_at    timestamptz,
  primary key (app_id, key_id)
);

create table users (
  app_id        text not null references apps,
  user_id       text not null,
  profile       jsonb not null default '{}',
  metadata      jsonb not null default '{}',
  locale        text,
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  disabled_at   timestamptz,
  primary key (app_id, user_id)
);
create unique index users_never_shared on users (user_id, app_id);

create table identifiers (
  app_id        text not null,
  kind          text not null check (kind in ('email', 'phone')),
  value         text collate "C" not null,  -- normalized once, see users/email.ts; prefix search is a range of bytes
  user_id       text not null,
  verified_at   timestamptz,
  created_at    timestamptz not null default now(),
  primary key (app_id, kind, value),
  foreign key (app_id, user_id) references users on delete cascade
);
create unique index identifiers_of_user on identifiers (app_id, user_id, kind);

create table passwords (
  app_id        text not null,
  user_id       text not null,
  hash          text not null,              -- PHC string
  changed_at    timestamptz not null default now(),
  primary key (app_id, user_id),
  foreign key (app_id, user_id) references users on delete cascade
);

-- Browsers a user has signed in from: a digest of the device cookie.
create table known_devices (
  app_id        text not null,
  user_id       text not null,
  device        text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at  timestamptz not null default now(),
  primary key (app_id, user_id, device),
  foreign key (app_id, user_id) references users on delete cascade
);

-- Failed sign-ins in a row. `subject` is a digest of the identifier tried, so that an unknown address
-- counts exactly as a known one; `origin` is 'stranger', a known device, or 'mailed_code' (wrong codes of a day).
create table sign_in_failures (
  app_id        text not null references apps,
  subject       text not null,
  origin        text not null,
  failures      integer not null default 0, -- every failed attempt since the last success, refused ones too
  tries         integer not null default 0, -- attempts let through since the last lock
  lockouts      integer not null default 0,
  locked_until  timestamptz,
  let_through   boolean not null default true, -- whether the last attempt was
  since         timestamptz not null default now(), -- the first failure of this row
  last_failed_at timestamptz not null default now(),
  primary key (app_id, subject, origin)
);
create index sign_in_failures_old on sign_in_failures (last_failed_at);

create table sessions (
  app_id        text not null,
  uid           text not null,              -- the library's stable name of the session
  session_id    text not null,              -- ses_…, the public id
  digest        text not null,              -- of the cookie's value
  user_id       text not null,
  version       bigint not null default 1,  -- of the id: grows when it is renewed
  revision      bigint not null default 1,  -- grows with every change, so that the cache never goes back
  payload       jsonb not null,
  user_agent    text,
  address       inet,
  created_at    timestamptz not null default now(),
  touched_at    timestamptz not null default now(),
  expires_at    timestamptz not null,       -- idle limit
  absolute_expires_at timestamptz not null,
  ended_at      timestamptz,                -- the row stays as a tombstone until absolute_expires_at
  primary key (app_id, uid),
  foreign key (app_id, user_id) references users on delete cascade
);
create unique index sessions_by_digest on sessions (app_id, digest);
create unique index sessions_by_id on sessions (app_id, session_id);
create index sessions_of_user on sessions (app_id, user_id, created_at desc);
create index sessions_expired on sessions (absolute_expires_at);

create table grants (
  app_id        text not null,
  grant_id      text not null,
  user_id       text not null,
  client_id     text not null,
  session_uid   text,                       -- set when sign-out ends the grant
  revision      bigint not null default 1,
  payload       jsonb not null,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  revoked_at    timestamptz,
  revoked_why   text,
  primary key (app_id, grant_id),
  foreign key (app_id, user_id) references users on delete cascade,
  foreign key (app_id, client_id) references clients on delete cascade
);
create index grants_of_user on grants (app_id, user_id, created_at desc);
create index grants_of_session on grants (app_id, session_uid) where session_uid is not null;
create index grants_expired on grants (expires_at);

create table refresh_tokens (
  app_id        text not null,
  digest        text not null,
  issuer        text not null check (issuer in ('own', 'shared')),
  grant_id      text not null,
  client_id     text not null,
  user_id       text not null,
  session_uid   text,                       -- set when the token ends with the session
  predecessor   text,
  payload       jsonb not null,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  consumed_at   timestamptz,
  successor     text,
  primary key (app_id, digest),
  foreign key (app_id, grant_id) references grants on delete cascade
);
create index refresh_tokens_of_grant on refresh_tokens (app_id, grant_id);
create index refresh_tokens_expired on refresh_tokens (expires_at);

-- What must not happen twice is decided here: the first insert wins.
create table spent (
  app_id        text not null references apps,
  kind          text not null,
  digest        text not null,
  spent_at      timestamptz not null default now(),
  expires_at    timestamptz not null,
  note          text,
  primary key (app_id, kind, digest)
);
create index spent_expired on spent (expires_at);

-- JWT access tokens that were revoked one by one, kept until they would have expired anyway.
create table denied_tokens (
  app_id        text not null references apps,
  jti           text not null,
  expires_at    timestamptz not null,
  primary key (app_id, jti)
);
create index denied_tokens_expired on denied_tokens (expires_at);

-- EphemeralStore where there is no Redis.
create table ephemeral (
  app_id        text not null,
  key           text not null,
  value         text not null,
  expires_at    timestamptz not null,
  primary key (app_id, key)
);
create index ephemeral_expired on ephemeral (expires_at);

create table audit_events (
  app_id        text not null references apps,
  event_id      text not null,
  type          text not null,
  occurred_at   timestamptz not null default now(),
  actor_type    text not null check (actor_type in ('user', 'client', 'operator', 'break_glass', 'system', 'anonymous')),
  actor_id      text,
  user_id       text,
  client_id     text,
  session_id    text,
  result        text not null check (result in ('success', 'failure')),
  address       inet,
  user_agent    text,
  request_id    text,
  details       jsonb not null default '{}',
  primary key (app_id, event_id)
);

-- Work to be done after the commit that asked for it: mail, cache tombstones, erasure.
create table jobs (
  app_id        text not null,
  job_id        text not null,
  kind          text not null,
  payload       text not null,              -- sealed envelope: it may hold links
  created_at    timestamptz not null default now(),
  run_at        timestamptz not null default now(),
  expires_at    timestamptz,                -- not worth doing afterwards
  attempts      integer not null default 0,
  last_error    text,
  failed_at     timestamptz,                -- given up
  primary key (app_id, job_id)
);
create index jobs_due on jobs (run_at) where failed_at is null;

-- Tombstones of the cache that Redis could not be given when something was revoked.
create table pending_graves (
  app_id        text not null,
  kind          text not null,
  id            text not null,
  created_at    timestamptz not null default now(),
  primary key (app_id, kind, id)
);

create table idempotency_keys (
  app_id        text not null references apps,
  key           text not null,
  request       text not null,              -- digest of method, path and body
  status        integer,
  response      text,                       -- sealed envelope: it may hold a secret
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  primary key (app_id, key)
);

-- Row-level security: forced, on every table that has an app_id; a missing setting matches nothing.
do $$
declare
  t text;
begin
  for t in
    select c.table_name from information_schema.columns c
    join information_schema.tables b using (table_schema, table_name)
    where c.table_schema = current_schema() and c.column_name = 'app_id' and b.table_type = 'BASE TABLE'
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy one_app on %I to latchkey_server using (app_id = current_setting(''latchkey.app_id'', true)) with check (app_id = current_setting(''latchkey.app_id'', true))', t);
    execute format('create policy every_app on %I to latchkey_operator using (true) with check (true)', t);
    execute format('grant select, insert, update, delete on %I to latchkey_server, latchkey_operator', t);
  end loop;
end $$;

-- The app itself, its clients and its keys are changed by the operator's role only.
revoke insert, update, delete on apps, clients, client_secrets, signing_keys from latchkey_server;
grant select on deployment_keys to latchkey_server;
grant select, insert, update, delete on deployment_keys, client_routes to latchkey_operator;
-- The audit trail is only ever added to.
revoke update, delete on audit_events from latchkey_server, latchkey_operator;
