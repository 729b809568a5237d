--@ locks: apps (share row exclusive), a moment: new tables refer to it
--@ locks: refresh_tokens (access exclusive), a moment: a wider check, which rows of before need not be read for
--@ serves: programs since 0001
-- Domains of apps. Nothing that serves is locked for long: two new tables, and one check that is wider than before.

create table domains (
  app_id        text not null references apps,
  domain        text not null,              -- normalized, see apps/domains/domain-name.ts
  state         text not null check (state in ('pending', 'active', 'leaving')),
  challenge     text not null,              -- what the TXT record has to hold; published, so no secret
  -- What the issuers the app had before still do. 'ended' is for good.
  old_issuers   text not null check (old_issuers in ('sign_in', 'refresh', 'ended')),
  base_left     boolean not null default false, -- the issuers at BASE_URL had been left before this domain came
  created_at    timestamptz not null default now(),
  verified_at   timestamptz,
  primary key (app_id, domain)
);
create unique index domains_pending on domains (app_id) where state = 'pending';
create unique index domains_active on domains (app_id) where state = 'active';

-- Which app a proved domain belongs to, across the deployment. Read and written by the operator's role alone; what is
-- only claimed is not in here, so that a claim keeps nobody from proving a domain that is theirs.
create table domain_routes (
  domain        text primary key,
  owner_app     text not null references apps
);
create index domain_routes_of_app on domain_routes (owner_app);

alter table domains enable row level security;
alter table domains force row level security;
create policy one_app on domains to latchkey_server using (app_id = current_setting('latchkey.app_id', true)) with check (app_id = current_setting('latchkey.app_id', true));
create policy every_app on domains to latchkey_operator using (true) with check (true);
grant select on domains to latchkey_server;
grant select, insert, update, delete on domains, domain_routes to latchkey_operator;

-- At a domain the issuer is its URL. Rows of before fit, so they need not be read again.
alter table refresh_tokens drop constraint refresh_tokens_issuer_check;
alter table refresh_tokens add constraint refresh_tokens_issuer_check
  check (issuer in ('own', 'shared') or issuer ~ '^https?://[a-z0-9.:-]+$') not valid;
