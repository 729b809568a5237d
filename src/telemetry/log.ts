import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import type { Config } from '../config/config.ts';
import { scrub, scrubText } from './redact.ts';
import { textLines } from './text-lines.ts';

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
type Write = (fields: object, message: string) => void;

/** What the rest of the code knows of the logger. */
export type Logger = {
  fatal: Write;
  error: Write;
  warn: Write;
  info: Write;
  debug: Write;
  trace: Write;
  /** Whether lines of this level are written: for what is dear to put together. */
  writes(level: Level): boolean;
  /** The same logger with fields on every line. */
  child(fields: object): Logger;
};

/** A logger to standard output that hides secrets by field name and by look, whoever logs them. */
export function createLogger(
  config: Pick<Config, 'logLevel' | 'logFormat'>,
  destination: DestinationStream = process.stdout,
): Logger {
  const target = config.logFormat === 'text' ? textLines(destination) : destination;
  const logger = pino(
    {
      level: config.logLevel,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => scrub(fields) as Record<string, unknown>,
        bindings: (fields) => scrub(fields) as Record<string, unknown>,
      },
      // By now `err` is described already.
      serializers: { err: (error: unknown) => error },
      // The last gate: it sees every character that is written, messages and stacks included.
      hooks: { streamWrite: scrubText },
    },
    target,
  );
  return wrap(logger);
}

type PinoLike = Record<Level, (fields: object, message: string) => void> & {
  isLevelEnabled(level: Level): boolean;
  child(fields: object): PinoLike;
};

function wrap(inner: PinoLike): Logger {
  return {
    fatal: (fields, message) => inner.fatal(fields, message),
    error: (fields, message) => inner.error(fields, message),
    warn: (fields, message) => inner.warn(fields, message),
    info: (fields, message) => inner.info(fields, message),
    debug: (fields, message) => inner.debug(fields, message),
    trace: (fields, message) => inner.trace(fields, message),
    writes: (level) => inner.isLevelEnabled(level),
    child: (fields) => wrap(inner.child(scrub(fields) as object)),
  };
}

/** Says nothing; for tests and tools. */
export const silentLogger: Logger = (() => {
  const nothing: Write = () => {};
  const logger: Logger = {
    fatal: nothing,
    error: nothing,
    warn: nothing,
    info: nothing,
    debug: nothing,
    trace: nothing,
    writes: () => false,
    child: () => logger,
  };
  return logger;
})();
