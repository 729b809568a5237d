#!/bin/sh
# Run once by the postgres image, when its volume is new: the three accounts that Latchkey uses. The owner
# migrates; the server owns nothing and is held by row-level security; the operator reads across apps.
set -eu
: "${LATCHKEY_OWNER_PASSWORD:?}" "${LATCHKEY_SERVER_PASSWORD:?}" "${LATCHKEY_OPERATOR_PASSWORD:?}"
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set owner="$LATCHKEY_OWNER_PASSWORD" \
  --set server="$LATCHKEY_SERVER_PASSWORD" \
  --set operator="$LATCHKEY_OPERATOR_PASSWORD" <<'SQL'
create role latchkey_owner login nosuperuser nobypassrls password :'owner';
create role latchkey_server login nosuperuser nobypassrls noinherit password :'server';
create role latchkey_operator login nosuperuser nobypassrls password :'operator';
create database latchkey owner latchkey_owner;
revoke all on database latchkey from public;
grant connect on database latchkey to latchkey_server, latchkey_operator;
SQL
