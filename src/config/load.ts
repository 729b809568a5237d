import { resolve } from 'node:path';
import type { RootKeys } from '../kernel/secret.ts';
import type { Config, DatabaseConfig } from './config.ts';
import { ConfigFaults, type Fault } from './faults.ts';
import * as format from './formats.ts';
import { generatedSecret } from './generated-secrets.ts';
import { isLoopbackHost } from './loopback.ts';
import { type Environ, environmentOf, readEnvironment, type Texts } from './read-environment.ts';
import { contradictions, refusedInProduction, warningsFor } from './rules.ts';
import { Secret } from './secret.ts';
import { environmentSchema, type Values } from './variables.ts';

export type LoadOptions = {
  env?: Environ;
  /** Where `.env` and relative paths are looked up. */
  cwd?: string;
  /** false: generate no file (for `check-config`); development secrets are then drawn anew each time. */
  dataDirWritable?: boolean;
};

/** The one frozen configuration. Throws ConfigFaults that lists everything that is wrong. May write into DATA_DIR in development. */
export function loadConfig(options: LoadOptions = {}): Config {
  const cwd = options.cwd ?? process.cwd();
  const { texts, faults } = readEnvironment(options.env ?? process.env, cwd);
  const { values, issues } = parse(texts);
  const baseUrl = values.BASE_URL ?? `http://localhost:${values.PORT ?? 3000}`;
  const judged = { environment: environmentOf(texts), values, baseUrl };
  // A malformed value has its own fault already; the rules would call it missing.
  const malformed = new Set(issues.map((issue) => issue.variable));
  const broken = [...contradictions(judged), ...refusedInProduction(judged)].filter(
    (fault) => !malformed.has(fault.variable),
  );
  const all = [...faults, ...issues, ...broken];
  if (all.length > 0) throw new ConfigFaults(all);

  const dataDir = resolve(cwd, values.DATA_DIR ?? 'data');
  const secrets = secretsOf(values, judged.environment, (name) =>
    kept(dataDir, name, options.dataDirWritable ?? true),
  );
  return deepFreeze({
    ...plainValues(judged),
    ...secrets,
    dataDir,
    geoipDatabase: values.GEOIP_DATABASE && resolve(cwd, values.GEOIP_DATABASE),
    breachedPasswordsFile: values.BREACHED_PASSWORDS_FILE && resolve(cwd, values.BREACHED_PASSWORDS_FILE),
    warnings: warningsFor(judged),
  });
}

/** The faults of the configuration, none if it is sound. Writes nothing. */
export function checkConfig(options: Omit<LoadOptions, 'dataDirWritable'> = {}): {
  faults: readonly Fault[];
  config: Config | undefined;
} {
  try {
    return { faults: [], config: loadConfig({ ...options, dataDirWritable: false }) };
  } catch (error) {
    if (error instanceof ConfigFaults) return { faults: error.faults, config: undefined };
    throw error;
  }
}

function parse(texts: Texts): { values: Values; issues: Fault[] } {
  const result = environmentSchema.safeParse(texts);
  if (result.success) return { values: result.data, issues: [] };
  const issues = result.error.issues.map((issue) => ({
    variable: String(issue.path[0]),
    message: issue.message,
  }));
  const sound = Object.fromEntries(
    Object.entries(texts).filter(([name]) => !issues.some((issue) => issue.variable === name)),
  );
  return { values: environmentSchema.parse(sound), issues };
}

function plainValues({
  environment,
  values,
  baseUrl,
}: {
  environment: Config['environment'];
  values: Values;
  baseUrl: string;
}) {
  const { hostname, protocol } = new URL(baseUrl);
  const development = environment === 'development';
  return {
    environment,
    baseUrl,
    isHttps: protocol === 'https:',
    isLoopback: isLoopbackHost(hostname),
    port: values.PORT ?? 3000,
    host: values.HOST ?? (development ? (hostname === '[::1]' ? '::1' : '127.0.0.1') : '0.0.0.0'),
    database: databaseOf(values),
    redis: values.REDIS_URL,
    smtpUrl: values.SMTP_URL,
    mailFrom: values.MAIL_FROM ?? `no-reply@${hostname.replace(/[[\]]/g, '')}`,
    signer: values.SIGNER_URL && {
      url: values.SIGNER_URL.reveal().replace(/\/$/, ''),
      token: values.SIGNER_TOKEN,
    },
    jwksMaxAge: values.JWKS_MAX_AGE ?? 300,
    sharedKeyRotationDays: values.SHARED_KEY_ROTATION_DAYS ?? 90,
    trustedProxies: values.TRUSTED_PROXIES ?? [],
    outboundAllowedHosts: values.OUTBOUND_ALLOWED_HOSTS ?? [],
    mtls: values.MTLS_CERTIFICATE_HEADER
      ? {
          certificateHeader: values.MTLS_CERTIFICATE_HEADER,
          verifiedHeader: values.MTLS_VERIFIED_HEADER,
        }
      : undefined,
    breachedPasswordsUrl: values.BREACHED_PASSWORDS_URL ?? 'https://api.pwnedpasswords.com',
    logLevel: values.LOG_LEVEL ?? 'info',
    logFormat: values.LOG_FORMAT ?? (development ? 'text' : 'json'),
    metricsToken: values.METRICS_TOKEN,
    webConcurrency: values.WEB_CONCURRENCY ?? 1,
    maxConnections: values.MAX_CONNECTIONS ?? 10_000,
    requestTimeout: values.REQUEST_TIMEOUT ?? 8,
  } as const;
}

function databaseOf(values: Values): DatabaseConfig {
  const url = values.DATABASE_URL;
  if (!url) return { kind: 'embedded' };
  return {
    kind: 'external',
    url,
    migrationUrl: values.DATABASE_MIGRATION_URL ?? url,
    operatorUrl: values.DATABASE_OPERATOR_URL,
    pooler: values.DATABASE_POOLER,
    replica: values.DATABASE_REPLICA_URL && {
      url: values.DATABASE_REPLICA_URL,
      maxLagSeconds: values.DATABASE_REPLICA_MAX_LAG ?? 10,
    },
    ownerIsServer: (values.DATABASE_MIGRATION_URL ?? url).reveal() === url.reveal(),
  };
}

/** In production both are as given; in development what is missing is generated. */
function secretsOf(
  values: Values,
  environment: Config['environment'],
  generated: (name: string) => { text: string; path: string },
) {
  const keys = values.ENCRYPTION_KEYS ?? readGenerated(generated('encryption_keys'), format.encryptionKeys);
  const encryptionKeys = new Secret(keys.reveal().map((key) => key.bytes) as unknown as RootKeys);
  if (values.ADMIN_API_KEY || environment === 'production') {
    return { encryptionKeys, adminApiKey: values.ADMIN_API_KEY, adminApiKeyPath: undefined };
  }
  const key = generated('admin_api_key');
  return {
    encryptionKeys,
    adminApiKey: readGenerated(key, format.secretOfLength(32)),
    adminApiKeyPath: key.path,
  };
}

function readGenerated<T>(
  from: { text: string; path: string },
  schema: { safeParse(text: string): { success: boolean; data?: T | undefined } },
): T {
  const result = schema.safeParse(from.text);
  if (result.success && result.data !== undefined) return result.data;
  throw new ConfigFaults([
    {
      variable: 'DATA_DIR',
      message: `${from.path} was changed and does not hold what was generated; restore or delete it`,
    },
  ]);
}

function kept(dataDir: string, name: string, writable: boolean): { text: string; path: string } {
  try {
    return generatedSecret(dataDir, name, writable);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigFaults([
      {
        variable: 'DATA_DIR',
        message: `${name} can not be kept in ${dataDir} (${code}); set DATA_DIR to a folder that can be written`,
      },
    ]);
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    // Buffers can not be frozen; they live inside Secrets, which are.
    if (typeof inner === 'object' && inner !== null && !Object.isFrozen(inner)) deepFreeze(inner as object);
  }
  return Object.freeze(value);
}
