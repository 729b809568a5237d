import type { RootKeys } from '../kernel/secret.ts';
import type { Secret } from './secret.ts';

export type Environment = 'development' | 'production';
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ['json', 'text'] as const;
export type LogFormat = (typeof logFormats)[number];

export const poolers = ['prepared', 'unprepared'] as const;
export type Pooler = (typeof poolers)[number];

export type DatabaseConfig =
  /** A PostgreSQL that this process starts itself, in `dataDir`. */
  | { kind: 'embedded' }
  | {
      kind: 'external';
      /** The server's role. */
      url: Secret;
      /** The owner's role; the same as `url` when DATABASE_MIGRATION_URL is unset. */
      migrationUrl: Secret;
      /** The operator's role, for cross-app work. */
      operatorUrl: Secret | undefined;
      /** DATABASE_URL is the owner: the server has to find roles of its own. */
      ownerIsServer: boolean;
      /** What a connection pooler in between can do; undefined: there is none. */
      pooler: Pooler | undefined;
      /** A standby for lists; undefined: there is none. */
      replica: { url: Secret; maxLagSeconds: number } | undefined;
    };

export type RedisNode = { host: string; port: number };
export type RedisConfig =
  | { kind: 'single'; url: Secret }
  | ({ kind: 'sentinel'; name: string; database: number } & RedisNodes)
  | ({ kind: 'cluster' } & RedisNodes);
type RedisNodes = {
  nodes: readonly RedisNode[];
  tls: boolean;
  username: string | undefined;
  password: Secret | undefined;
};

/** The whole configuration of the process, frozen through and through. */
export type Config = {
  environment: Environment;
  /** An origin: scheme, host and perhaps port; no trailing slash. */
  baseUrl: string;
  isHttps: boolean;
  /** Whether the host of `baseUrl` is this machine. */
  isLoopback: boolean;
  port: number;
  /** The address to listen on. */
  host: string;
  /** Absolute. */
  dataDir: string;
  database: DatabaseConfig;
  /** undefined: the database holds the ephemeral state. */
  redis: RedisConfig | undefined;
  /** undefined: the development inbox. */
  smtpUrl: Secret | undefined;
  /** An address without a name; the name is that of the app. */
  mailFrom: string;
  encryptionKeys: Secret<RootKeys>;
  /** undefined: the break-glass door does not exist. */
  adminApiKey: Secret | undefined;
  /** Set when the key was generated: print this, never the key. */
  adminApiKeyPath: string | undefined;
  /** Seconds that public keys and metadata may be cached. */
  jwksMaxAge: number;
  /** undefined: private halves are sealed in the database. `url` has no trailing slash. */
  signer: { url: string; token: Secret | undefined } | undefined;
  /** 0: only on demand. */
  sharedKeyRotationDays: number;
  /** Addresses or CIDRs. */
  trustedProxies: readonly string[];
  /** `host` or `host:port` in the form in which they are compared; see http/outgoing/destination.ts. */
  outboundAllowedHosts: readonly string[];
  /** The headers in which a trusted proxy passes on client certificates. undefined: mutual TLS is off. */
  mtls:
    | {
        certificateHeader: string;
        /** Must be `SUCCESS` where the proxy has verified the chain. undefined: nothing counts as verified. */
        verifiedHeader: string | undefined;
      }
    | undefined;
  /** A MaxMind-format file; undefined: addresses have no places. */
  geoipDatabase: string | undefined;
  /** Absolute; undefined: there is none. */
  breachedPasswordsFile: string | undefined;
  /** Without a trailing slash. */
  breachedPasswordsUrl: string;
  logLevel: LogLevel;
  logFormat: LogFormat;
  metricsToken: Secret | undefined;
  /** Processes. */
  webConcurrency: number;
  /** Of each process. */
  maxConnections: number;
  /** Seconds. */
  requestTimeout: number;
  /** What works but deserves a look; printed at the start. */
  warnings: readonly string[];
};
