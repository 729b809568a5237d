-- A client that signs its assertions with its secret (client_secret_jwt) has exactly one, which has to be known again:
-- a sealed envelope, bound to client_secrets / secret_id / sealed. For every other secret the digest is all there is.
alter table client_secrets add column sealed text;
