import { createHash } from 'node:crypto';

/** One SQL statement with its values, as `pg` takes it. Named, so that each connection parses it once. */
export type Statement = {
  name: string;
  text: string;
  values: unknown[];
  /** Which of the values are lists, as `each` makes them. */
  lists?: readonly number[];
};

/** A value of one who may be asked about together with others. */
class Each {
  readonly value: string | null;

  constructor(value: string | null) {
    this.value = value;
  }
}

/**
 * sql`select asked.nr, … from unnest(${each(id)}::text[]) with ordinality as asked(id, nr) join …`: a list, for now of this one
 * value. Statements that differ in their lists alone may become one (gathering.ts); `nr` says whose a row is.
 */
export const each = (value: string | null): Each => new Each(value);

/** A piece of SQL with its values, which several statements hold. */
export class Part {
  readonly strings: TemplateStringsArray;
  readonly values: readonly unknown[];
  /** The same for all that differ in values alone. */
  readonly shape: string;

  constructor(strings: TemplateStringsArray, values: readonly unknown[]) {
    this.strings = strings;
    this.values = values;
    this.shape = shapeOf(strings, values);
  }
}

type Known = { name: string; text: string };

const seen = new WeakMap<TemplateStringsArray, Known>();
const composed = new Map<string, Known>();
const numbers = new WeakMap<TemplateStringsArray, number>();
let templates = 0;

/**
 * sql`select … where id = ${id}`: every `${}` becomes a parameter, never text, or is a part that was written in the same
 * way. There is no way to splice a string into a statement, so there is nothing to escape.
 */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): Statement {
  if (values.some(isPart)) return compose(new Part(strings, values));
  let statement = seen.get(strings);
  if (!statement) seen.set(strings, (statement = named(strings)));
  return withLists({ ...statement, values });
}

function withLists(statement: Statement): Statement {
  let lists: number[] | undefined;
  for (const [at, value] of statement.values.entries())
    if (value instanceof Each) {
      statement.values[at] = [value.value];
      (lists ??= []).push(at);
    }
  return lists ? { ...statement, lists } : statement;
}

/** part`where id = ${id}`: for the `${}` of a statement or of another part. */
export const part = (strings: TemplateStringsArray, ...values: unknown[]): Part => new Part(strings, values);

const isPart = (value: unknown): value is Part => value instanceof Part;

function shapeOf(strings: TemplateStringsArray, values: readonly unknown[]): string {
  let number = numbers.get(strings);
  if (number === undefined) numbers.set(strings, (number = templates += 1));
  let shape = String(number);
  for (const [at, value] of values.entries()) if (isPart(value)) shape += `(${at}:${value.shape})`;
  return shape;
}

/** There are as many as there are places in the program that put parts together. */
function compose(whole: Part): Statement {
  let statement = composed.get(whole.shape);
  if (!statement) composed.set(whole.shape, (statement = named(textsOf(whole))));
  return withLists({ ...statement, values: valuesOf(whole) });
}

const valuesOf = ({ values }: Part): unknown[] =>
  values.flatMap((value) => (isPart(value) ? valuesOf(value) : [value]));

/** What stands around the values: one more than there are values. */
function textsOf({ strings, values }: Part): string[] {
  const texts = [strings[0]!];
  for (const [at, value] of values.entries()) {
    const behind = strings[at + 1]!;
    if (isPart(value)) {
      const [first, ...more] = textsOf(value);
      texts.push(texts.pop()! + first!, ...more);
      texts.push(texts.pop()! + behind);
    } else texts.push(behind);
  }
  return texts;
}

function named(texts: readonly string[]): Known {
  const text = texts.reduce((sum, one, i) => `${sum}$${i}${one}`).trim();
  return { name: createHash('sha256').update(text).digest('base64url').slice(0, 22), text };
}
