import { z } from 'zod';
import * as format from './formats.ts';

export type VariableNote = {
  /** What it is for, in one sentence. */
  sentence: string;
  /** What holds when it is unset. */
  default: string;
  example: string;
  secret?: true;
};

const notes = z.registry<VariableNote>();

function variable<S extends z.ZodType>(schema: S, note: VariableNote): z.ZodOptional<S> {
  const optional = schema.optional();
  notes.add(optional, note);
  return optional;
}

/** Every environment variable Latchkey reads, as text; each may also be given as NAME_FILE. Order is that of the reference. */
export const environmentSchema = z.object({
  LATCHKEY_ENV: variable(format.environment, {
    sentence:
      'Whether this is `development` (secrets are generated, mail goes to an inbox at /dev/inbox) or `production` (nothing is assumed, and unsafe settings stop the start).',
    default: '`development` when BASE_URL is on loopback, else `production`',
    example: 'production',
  }),
  BASE_URL: variable(format.baseUrl, {
    sentence:
      'The public origin of this deployment, from which every issuer, link and cookie is built; forwarded headers and `Host` are never used for that.',
    default: '`http://localhost:{PORT}`',
    example: 'https://id.example.com',
  }),
  PORT: variable(format.wholeNumber(1, 65_535), {
    sentence: 'The TCP port to listen on.',
    default: '`3000`',
    example: '3000',
  }),
  HOST: variable(format.hostToListenOn, {
    sentence: 'The address to listen on.',
    default: '`127.0.0.1` in development, `0.0.0.0` in production',
    example: '0.0.0.0',
  }),
  DATA_DIR: variable(format.directory, {
    sentence: 'The folder for the embedded database and for generated secrets.',
    default: '`./data`',
    example: '/var/lib/latchkey',
  }),
  DATABASE_URL: variable(format.secretUrl(['postgres:', 'postgresql:']), {
    sentence:
      'The PostgreSQL database, as the role that serves requests: it owns nothing and sees one app at a time.',
    default: 'a PostgreSQL that Latchkey starts itself in DATA_DIR',
    example: 'postgres://latchkey_server:password@db.example.com/latchkey',
    secret: true,
  }),
  DATABASE_MIGRATION_URL: variable(format.secretUrl(['postgres:', 'postgresql:']), {
    sentence: 'The same database as the role that owns the tables; used by `latchkey migrate` alone.',
    default: 'DATABASE_URL, and then `latchkey migrate` creates the other roles and the start warns',
    example: 'postgres://latchkey_owner:password@db.example.com/latchkey',
    secret: true,
  }),
  DATABASE_OPERATOR_URL: variable(format.secretUrl(['postgres:', 'postgresql:']), {
    sentence: 'The same database as the role for work across apps: lists of operators, jobs, sweeps.',
    default: 'a role that `latchkey migrate` creates',
    example: 'postgres://latchkey_operator:password@db.example.com/latchkey',
    secret: true,
  }),
  DATABASE_REPLICA_URL: variable(format.secretUrl(['postgres:', 'postgresql:']), {
    sentence:
      'A streaming standby of the same database, from which lists of the Admin API and the audit trail are read; it names no user, because the two roles log in there as they do at the primary.',
    default: 'everything is read from the primary',
    example: 'postgres://db-standby.example.com/latchkey',
    secret: true,
  }),
  DATABASE_REPLICA_MAX_LAG: variable(format.wholeNumber(2, 3600), {
    sentence:
      'How many seconds behind DATABASE_REPLICA_URL may be; while it is further behind or away, the primary answers.',
    default: '`10`',
    example: '10',
  }),
  DATABASE_POOLER: variable(format.pooler, {
    sentence:
      'What a connection pooler that DATABASE_URL, DATABASE_OPERATOR_URL or DATABASE_REPLICA_URL lead to can do: `prepared` (statements prepared by name: session mode, or transaction mode of PgBouncer 1.21 and newer), `unprepared` (transaction mode of older ones).',
    default: 'there is no pooler',
    example: 'prepared',
  }),
  REDIS_URL: variable(format.redisUrl, {
    sentence:
      'Redis for short-lived state: `redis://`, `rediss://`, `redis+sentinel://host:port,host:port/master` or `redis+cluster://host:port,host:port`.',
    default: 'the database holds the short-lived state',
    example: 'rediss://:password@redis.example.com:6379',
    secret: true,
  }),
  SMTP_URL: variable(format.secretUrl(['smtp:', 'smtps:']), {
    sentence: 'The mail server; required in production.',
    default: 'mail is kept in the inbox at /dev/inbox',
    example: 'smtps://user:password@smtp.example.com:465',
    secret: true,
  }),
  MAIL_FROM: variable(format.mailAddress, {
    sentence: 'The address that mail comes from; the name beside it is that of the app.',
    default: '`no-reply@` and the host of BASE_URL',
    example: 'no-reply@id.example.com',
  }),
  ENCRYPTION_KEYS: variable(format.encryptionKeys, {
    sentence:
      'Keys that seal secrets at rest, each 32 random bytes as base64 or hex, newest first and separated by commas; required in production.',
    default: 'in development generated into DATA_DIR/encryption_keys',
    example: '(the output of: openssl rand -base64 32)',
    secret: true,
  }),
  ADMIN_API_KEY: variable(format.secretOfLength(32), {
    sentence:
      'A break-glass bearer token for the Admin API, at least 32 characters; every use of it is audited.',
    default: 'in development generated into DATA_DIR/admin_api_key, in production there is no such door',
    example: '(the output of: openssl rand -base64 32)',
    secret: true,
  }),
  JWKS_MAX_AGE: variable(format.wholeNumber(1, 86_400), {
    sentence:
      'How many seconds verifiers may cache public keys and metadata; a new signing key is published for twice that and five seconds before it signs.',
    default: '`300`',
    example: '300',
  }),
  SHARED_KEY_ROTATION_DAYS: variable(format.wholeNumber(0, 3650), {
    sentence:
      'After how many days the shared issuer gets a new signing key (`0`: only on demand); apps have a setting for theirs, `key_rotation_days`.',
    default: '`90`',
    example: '90',
  }),
  SIGNER_URL: variable(format.secretUrl(['https:', 'http:']), {
    sentence:
      'A signer in front of a KMS or HSM where new signing keys are made and kept; docs/operations.md says what it has to answer.',
    default: 'private halves are sealed in the database',
    example: 'https://signer.internal.example.com',
  }),
  SIGNER_TOKEN: variable(format.secretOfLength(16), {
    sentence: 'A bearer token that is sent to SIGNER_URL.',
    default: 'none is sent',
    example: '(the output of: openssl rand -base64 32)',
    secret: true,
  }),
  TRUSTED_PROXIES: variable(format.networks, {
    sentence: 'Addresses or CIDRs of the proxies whose `X-Forwarded-For` is believed, separated by commas.',
    default: 'forwarded headers are ignored',
    example: '10.0.0.0/8,2001:db8::/32',
  }),
  OUTBOUND_ALLOWED_HOSTS: variable(format.outboundHosts, {
    sentence:
      'Hosts, each `host` or `host:port`, separated by commas, that may be fetched from although they are on loopback, in a private network or on plain http: for closed networks and tests.',
    default: 'only https on the public internet is fetched from',
    example: 'hooks.corp.example,keys.corp.example:8443',
  }),
  MTLS_CERTIFICATE_HEADER: variable(format.headerName, {
    sentence:
      'The header in which a trusted proxy passes on the certificate of a client (mutual TLS): RFC 9440 or a URL-encoded PEM; the proxy must overwrite it on every request.',
    default:
      'mutual TLS is off: `tls_client_auth`, `self_signed_tls_client_auth` and bound tokens are refused',
    example: 'client-cert',
  }),
  MTLS_VERIFIED_HEADER: variable(format.headerName, {
    sentence:
      'The header in which that proxy says `SUCCESS` when it has verified the certificate against its authorities (nginx: `$ssl_client_verify`).',
    default: 'no certificate counts as verified, and `tls_client_auth` is refused',
    example: 'x-client-verify',
  }),
  GEOIP_DATABASE: variable(format.directory, {
    sentence:
      'A MaxMind-format file (GeoLite2 City, DB-IP …) that names places in lists of sessions; it is read again when it changes, and one that is missing or damaged stops the start.',
    default: 'addresses are shown without places',
    example: '/var/lib/GeoIP/GeoLite2-City.mmdb',
  }),
  BREACHED_PASSWORDS_FILE: variable(format.directory, {
    sentence:
      'A file of SHA-1 digests of passwords from breaches in hexadecimal, sorted, one a line (how they begin is enough: at least 10 digits; `:count` may follow); apps refuse these passwords unless their setting `breached_passwords` is `off`.',
    default: 'passwords are compared with a list of common ones only',
    example: '/var/lib/latchkey/pwned-passwords-sha1.txt',
  }),
  BREACHED_PASSWORDS_URL: variable(format.webAddress, {
    sentence:
      'The range service that apps whose setting `breached_passwords` is `range_api` ask: `/range/` and the first five digits of a SHA-1 digest are added.',
    default: '`https://api.pwnedpasswords.com`, which no app asks unless it is set to',
    example: 'https://pwned.internal.example.com',
  }),
  LOG_LEVEL: variable(format.logLevel, {
    sentence: 'How much is logged: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.',
    default: '`info`',
    example: 'info',
  }),
  LOG_FORMAT: variable(format.logFormat, {
    sentence: 'One JSON object per line (`json`), or lines for people (`text`).',
    default: '`text` in development, `json` in production',
    example: 'json',
  }),
  METRICS_TOKEN: variable(format.secretOfLength(16), {
    sentence: 'A bearer token, at least 16 characters, that /metrics asks for.',
    default: 'in production /metrics answers loopback only',
    example: '(the output of: openssl rand -base64 32)',
    secret: true,
  }),
  MAX_CONNECTIONS: variable(format.wholeNumber(10, 1_000_000), {
    sentence:
      'How many connections each process holds at once, each with a file descriptor; more are closed as they come.',
    default: '`10000`',
    example: '20000',
  }),
  REQUEST_TIMEOUT: variable(format.wholeNumber(1, 60), {
    sentence:
      'How many seconds a request may take from when it was read; one that needs longer, because a store is slow or gone, is answered 503.',
    default: '`8`',
    example: '8',
  }),
  WEB_CONCURRENCY: variable(format.wholeNumber(1, 64), {
    sentence: 'How many processes of this host serve requests, on one port.',
    default: '`1`',
    example: '2',
  }),
});

export type VariableName = keyof typeof environmentSchema.shape;
export type Values = z.output<typeof environmentSchema>;
export const variableNames = Object.keys(environmentSchema.shape) as VariableName[];

export function noteOf(name: VariableName): VariableNote {
  return notes.get(environmentSchema.shape[name])!;
}
