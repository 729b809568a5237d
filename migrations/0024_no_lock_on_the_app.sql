--@ locks: spent (access exclusive), a moment: no row is read or written
--@ locks: sign_in_failures (access exclusive), a moment: as above
--@ locks: audit_events (access exclusive), a moment: as above
--@ locks: denied_tokens (access exclusive), a moment: as above
--@ locks: apps (access exclusive), four moments: with each of those, for the trigger that goes
--@ serves: programs since 0001
--@ transaction: none
-- A row that refers to its app locks that app's row, and marks it, until its transaction ends. Sixteen sign-ins at once mark
-- one row: Postgres keeps a list of who does, writes it to the log and reads it again, a twentieth of all that a sign-in
-- costs. Nothing is kept by it here: the row of an app is never deleted, row-level security takes an `app_id` of no other
-- app, and these rows hang on nothing else. What hangs on a person or a client still refers to them.

alter table spent drop constraint if exists spent_app_id_fkey;
alter table sign_in_failures drop constraint if exists sign_in_failures_app_id_fkey;
alter table audit_events drop constraint if exists audit_events_app_id_fkey;
alter table denied_tokens drop constraint if exists denied_tokens_app_id_fkey;
