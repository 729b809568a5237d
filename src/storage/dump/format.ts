import type { TableDigest } from './row-digest.ts';

/** First line of a dump: which schema its rows are of. */
export type DumpHead = {
  latchkey: string;
  createdAt: string;
  /** Migrations in order, each with its checksum. */
  migrations: [name: string, checksum: string][];
};

/** Last line: what must have come before it. */
export type DumpEnd = { tables: Record<string, TableDigest> };

/** Told once per table and every few seconds within a long one. */
export type Progress = (at: { table: string; rows: number; done: boolean }) => void;

const HEAD = '-- latchkey backup, format 1: ';
const END = '-- latchkey end: ';

/** The text of a dump is that of `COPY … FROM stdin`: gunzip it, and read it. */
export const headLine = (head: DumpHead): string => `${HEAD}${JSON.stringify(head)}\n`;
export const endLine = (end: DumpEnd): string => `${END}${JSON.stringify(end)}\n`;
export const tableLine = (name: string, columns: readonly string[]): string =>
  `COPY ${quoted(name)} (${columns.map(quoted).join(', ')}) FROM stdin;\n`;
export const TABLE_END = '\\.\n';

const quoted = (name: string): string => `"${name}"`;

export function parseHead(line: string): DumpHead {
  if (!line.startsWith(HEAD))
    throw new Error('this is no backup of Latchkey, or of a format that came later');
  return JSON.parse(line.slice(HEAD.length)) as DumpHead;
}

/** undefined for a line that begins a table or means nothing. */
export function parseEnd(line: string): DumpEnd | undefined {
  return line.startsWith(END) ? (JSON.parse(line.slice(END.length)) as DumpEnd) : undefined;
}

/** The table that a line begins; undefined for other lines. */
export function parseTable(line: string): { name: string; columns: string[] } | undefined {
  const found = /^COPY "([a-z0-9_]+)" \(((?:"[a-z0-9_]+"(?:, )?)+)\) FROM stdin;$/.exec(line);
  return found ? { name: found[1]!, columns: found[2]!.slice(1, -1).split('", "') } : undefined;
}
