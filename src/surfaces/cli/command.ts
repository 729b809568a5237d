import type { Readable, Writable } from 'node:stream';
import type { parseArgs } from 'node:util';
import type { AppsDeps } from '../../apps/change-app.ts';
import type { Config } from '../../config/config.ts';
import type { Route } from '../../http/route-table.ts';
import type { DumpEnd, Progress } from '../../storage/dump/format.ts';
import type { Plan } from '../../storage/migrate.ts';
import type { Resealed } from '../../storage/reseal.ts';
import type { Logger } from '../../telemetry/log.ts';

/** What commands work with beside a server that may be running: the same rules, on the same database. */
export type Administration = {
  apps: AppsDeps;
  /** Seals everything at rest under the newest of ENCRYPTION_KEYS. */
  reseal(): Promise<Resealed[]>;
  close(): Promise<void>;
};

type Copying = { config: Config; log: Logger; progress: Progress };
/** `acceptUnreadable`: sealed values that no key opens are copied as they are. */
type CopyingInto = Copying & { acceptUnreadable: boolean };

/** What the commands stand on: the program, as the composition root put it together. */
export type Program = {
  version: string;
  /** Serves until the answer's `close`. */
  start(config: Config, log: Logger): Promise<{ close(): Promise<void> }>;
  /** Brings the schema up to date; the names of what was applied. */
  migrate(config: Config, log: Logger): Promise<string[]>;
  /** What it would do. */
  planMigration(config: Config, log: Logger): Promise<Plan>;
  /** Everything that this version answers. */
  routes(config: Config): Promise<readonly Route[]>;
  administer(config: Config, log: Logger): Promise<Administration>;
  /** Writes all rows, compressed, to the sink, and ends it. */
  backUp(copying: Copying, sink: Writable): Promise<DumpEnd>;
  restore(copying: CopyingInto, source: Readable): Promise<DumpEnd>;
  /** From the embedded database to that of DATABASE_URL, or back. */
  move(copying: CopyingInto, to: 'embedded' | 'external'): Promise<DumpEnd>;
};

type Flags = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

/** An option as `node:util` parses it, and what `--help` says of it. */
export type Flag = Flags[string] & { note: string };

export type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

/** What a command prints to: answers go to `out`, everything else to `err`. */
export type Printer = { out(text: string): void; err(text: string): void };

export type Command = {
  /** One or two words: `migrate`, `keys rotate`. */
  name: string;
  summary: string;
  flags?: Record<string, Flag>;
  /** The exit code. What it throws is printed as one line for each cause, with exit code 1. */
  run(call: { program: Program; values: Values; print: Printer }): Promise<number>;
};

/** `--json`, for commands that print data. */
export const jsonFlag = { json: { type: 'boolean', note: 'Print JSON, for programs.' } } as const;

/** Unknown or ill-formed arguments: exit code 2. */
export class UsageFault extends Error {}
