import { remainingMs, withDeadline, withoutDeadline } from '../kernel/deadline.ts';
import { Problem } from '../kernel/problem.ts';
import type { Statement } from './sql.ts';

type Row = Record<string, unknown>;
type Ask = (appId: string, statement: Statement) => Promise<Row[]>;
type Asked = { statement: Statement; resolve(rows: Row[]): void; reject(error: unknown): void };
/** `until`: by `performance.now()`. */
type Group = { appId: string; asked: Asked[]; until: number };

/** So many become one statement at most. */
const MOST_TOGETHER = 8;

/**
 * Makes one statement of those that ask the same about others of the same app in the same turn of the event loop (decision 0058):
 * beginning and ending a statement costs Postgres more than finding a row. Each is told of its own rows.
 */
export class Gathering {
  readonly #ask: Ask;
  #groups: Group[] = [];
  /** The one of each kind that has room. */
  readonly #open = new Map<string, Group>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Of a statement with lists that hold one value each. */
  ask(appId: string, statement: Statement): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      const group = this.#groupFor(appId, statement);
      group.asked.push({ statement, resolve, reject });
      // Nobody waits for longer than their request may take.
      group.until = Math.min(group.until, performance.now() + (remainingMs() ?? Infinity));
    });
  }

  #groupFor(appId: string, { name, values, lists }: Statement): Group {
    const alike = values.filter((_, at) => !lists!.includes(at));
    const kind = JSON.stringify([appId, name, ...alike]);
    const open = this.#open.get(kind);
    if (open && open.asked.length < MOST_TOGETHER) return open;
    if (this.#groups.length === 0) setImmediate(() => this.#askAll());
    const group = { appId, asked: [], until: Infinity };
    this.#groups.push(group);
    this.#open.set(kind, group);
    return group;
  }

  #askAll(): void {
    const groups = this.#groups.splice(0);
    this.#open.clear();
    for (const group of groups) void this.#askFor(group);
  }

  async #askFor({ appId, asked, until }: Group): Promise<void> {
    try {
      const ask = () => this.#ask(appId, together(asked.map(({ statement }) => statement)));
      // The turn of the event loop is somebody else's, perhaps.
      const rows = await (until === Infinity
        ? withoutDeadline(ask)
        : withDeadline(until - performance.now(), ask));
      const rowsOf = asked.map((): Row[] => []);
      for (const row of rows) rowsOf[Number(row['nr']) - 1]!.push(row);
      for (const [at, { resolve }] of asked.entries()) resolve(rowsOf[at]!);
    } catch (error) {
      // What one of them asked for may be at fault. Each for itself knows.
      if (asked.length > 1 && !isAway(error))
        for (const one of asked) void this.#askFor({ appId, asked: [one], until });
      else for (const { reject } of asked) reject(error);
    }
  }
}

/** Postgres did not say no: whether it did what it was asked is not known, and asking once more would make it no better. */
const isAway = (error: unknown): boolean => error instanceof Problem && error.kind === 'unavailable';

/** Their lists, one behind the other. */
function together(statements: readonly Statement[]): Statement {
  const first = statements[0]!;
  if (statements.length === 1) return first;
  const values = [...first.values];
  for (const at of first.lists!) values[at] = statements.flatMap(({ values: of }) => of[at] as unknown[]);
  return { ...first, values };
}
