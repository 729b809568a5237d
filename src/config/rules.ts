import type { Environment } from './config.ts';
import type { Fault } from './faults.ts';
import { developmentMark } from './formats.ts';
import { isLoopbackHost } from './loopback.ts';
import type { Values } from './variables.ts';

type Judged = { environment: Environment; values: Values; baseUrl: string };

/** What contradicts itself in any environment. */
export function contradictions({ values }: Judged): Fault[] {
  const faults: Fault[] = [];
  for (const name of [
    'DATABASE_MIGRATION_URL',
    'DATABASE_OPERATOR_URL',
    'DATABASE_POOLER',
    'DATABASE_REPLICA_URL',
  ] as const) {
    if (values[name] && !values.DATABASE_URL)
      faults.push({ variable: name, message: 'is set, but DATABASE_URL is not; set DATABASE_URL too' });
  }
  faults.push(...faultsOfReplica(values));
  const server = values.DATABASE_URL?.reveal();
  if (server && values.DATABASE_OPERATOR_URL?.reveal() === server) {
    faults.push({
      variable: 'DATABASE_OPERATOR_URL',
      message: 'is the same as DATABASE_URL; it must name another role',
    });
  }
  if (!values.DATABASE_URL && (values.WEB_CONCURRENCY ?? 1) > 8) {
    faults.push({
      variable: 'WEB_CONCURRENCY',
      message: 'is more than 8, and the embedded database has no connections for more; set DATABASE_URL',
    });
  }
  if (values.MTLS_CERTIFICATE_HEADER && !values.TRUSTED_PROXIES) {
    faults.push({
      variable: 'MTLS_CERTIFICATE_HEADER',
      message: 'is set, but TRUSTED_PROXIES is not; certificates are believed from trusted proxies only',
    });
  }
  if (values.MTLS_VERIFIED_HEADER && !values.MTLS_CERTIFICATE_HEADER) {
    faults.push({
      variable: 'MTLS_VERIFIED_HEADER',
      message: 'is set, but MTLS_CERTIFICATE_HEADER is not; set MTLS_CERTIFICATE_HEADER too',
    });
  }
  return faults;
}

function faultsOfReplica(values: Values): Fault[] {
  if (!values.DATABASE_REPLICA_URL) {
    if (values.DATABASE_REPLICA_MAX_LAG === undefined) return [];
    const message = 'is set, but DATABASE_REPLICA_URL is not; set DATABASE_REPLICA_URL too';
    return [{ variable: 'DATABASE_REPLICA_MAX_LAG', message }];
  }
  const url = new URL(values.DATABASE_REPLICA_URL.reveal());
  const faults: Fault[] = [];
  const say = (message: string): void => void faults.push({ variable: 'DATABASE_REPLICA_URL', message });
  if (url.username || url.password)
    say(
      'must name no user and no password; both roles log in there as DATABASE_URL and DATABASE_OPERATOR_URL say',
    );
  if (!url.hostname) say('must name a host');
  return faults;
}

/** What production refuses; each message names the variable to set. */
export function refusedInProduction({ environment, values, baseUrl }: Judged): Fault[] {
  if (environment !== 'production') return [];
  const faults: Fault[] = [];
  const url = new URL(baseUrl);
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    faults.push({
      variable: 'BASE_URL',
      message: 'must begin with https:// in production; set BASE_URL to the public https address',
    });
  }
  if (!values.ENCRYPTION_KEYS) {
    faults.push({
      variable: 'ENCRYPTION_KEYS',
      message: 'must be set in production; set ENCRYPTION_KEYS to the output of: openssl rand -base64 32',
    });
  } else if (values.ENCRYPTION_KEYS.reveal().some((key) => key.generated)) {
    faults.push({
      variable: 'ENCRYPTION_KEYS',
      message: 'holds a key that was generated for development; set ENCRYPTION_KEYS to a new one',
    });
  }
  if (values.ADMIN_API_KEY?.reveal().startsWith(developmentMark)) {
    faults.push({
      variable: 'ADMIN_API_KEY',
      message: 'was generated for development; set ADMIN_API_KEY to a new one, or unset it',
    });
  }
  if (!values.SMTP_URL) {
    faults.push({
      variable: 'SMTP_URL',
      message: 'must be set in production, where there is no inbox; set SMTP_URL to the mail server',
    });
  }
  if (!values.DATABASE_URL && !values.DATA_DIR) {
    faults.push({
      variable: 'DATABASE_URL',
      message:
        'must be set in production; set DATABASE_URL, or set DATA_DIR to keep the embedded database there (one machine, one process, backed up by copying DATA_DIR while it is stopped)',
    });
  }
  return faults;
}

/** What works but deserves a look. */
export function warningsFor({ environment, values, baseUrl }: Judged): string[] {
  const warnings: string[] = [];
  const loopback = isLoopbackHost(new URL(baseUrl).hostname);
  if (environment === 'development' && !loopback) {
    warnings.push(
      'LATCHKEY_ENV is development, but BASE_URL is not on loopback; generated secrets are in use where others can reach them',
    );
  }
  if (environment === 'development' && values.HOST && !isLoopbackHost(values.HOST)) {
    warnings.push('HOST is not on loopback; a development deployment can be reached from other machines');
  }
  if (environment === 'production' && loopback)
    warnings.push('BASE_URL is on loopback; nobody else can sign in');
  if (values.DATABASE_URL && !values.DATABASE_MIGRATION_URL) {
    warnings.push(
      'DATABASE_MIGRATION_URL is unset; the server logs in as roles of its own, but the process knows the password of the owner of the tables',
    );
  }
  if (values.TRUSTED_PROXIES?.some((network) => network.endsWith('/0'))) {
    warnings.push('TRUSTED_PROXIES trusts everyone; any client can choose the address it is seen under');
  }
  const innermost = values.OUTBOUND_ALLOWED_HOSTS?.find((entry) =>
    /^(127\.|169\.254\.|\[::1\]|(.+\.)?localhost(:|$))/.test(entry),
  );
  if (environment === 'production' && innermost !== undefined) {
    warnings.push(
      `OUTBOUND_ALLOWED_HOSTS names ${innermost}; whoever may register an address can make this machine ask itself`,
    );
  }
  return warnings;
}
