--@ locks: client_secrets (access exclusive), a moment: a column without a value
--@ serves: programs since 0001
-- A client that signs its assertions with its secret (client_secret_jwt) has exactly one, which has to be known again:
-- a sealed envelope, bound to client_secrets / secret_id / sealed. For every other secret the digest is all there is.
alter table client_secrets add column sealed text;
