#!/bin/sh
# Run once by the postgres image, when its volume is new: the account that owns Latchkey's tables. It may
# create roles, because the migration makes the two others (the server's, held by row-level security, and the
# operator's) and gives them the passwords of their URLs. It is no superuser and bypasses nothing.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set owner="${OWNER_PASSWORD:?}" <<'SQL'
create role latchkey_owner login createrole nosuperuser nobypassrls password :'owner';
create database latchkey owner latchkey_owner;
SQL
