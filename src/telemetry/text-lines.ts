import type { DestinationStream } from 'pino';

/** Turns lines of JSON into lines for people: `09:41:07 info  request  GET / 200 3.2ms`. */
export function textLines(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(textOf(line)) };
}

function textOf(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, msg, err, ...rest } = entry;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${shown(value)}`);
  const head = [String(time).slice(11, 19), String(level).padEnd(5), printable(textual(msg)), ...fields].join(
    ' ',
  );
  return `${head}${stackOf(err)}\n`;
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[\s"]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : printable(text);
}

function textual(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Without control characters: a terminal obeys them, and a line break would forge an entry. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
}

function stackOf(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const { stack, message, cause } = err as { stack?: unknown; message?: unknown; cause?: unknown };
  const lines = textual(stack ?? message)
    .split('\n')
    .map(printable);
  const because =
    cause === undefined ? '' : `\n  because${stackOf(cause) || ` ${printable(textual(cause))}`}`;
  return `\n  ${lines.join('\n  ')}${because}`;
}
