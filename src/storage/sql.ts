import { createHash } from 'node:crypto';

/** One SQL statement with its values, as `pg` takes it. Named, so that each connection parses it once. */
export type Statement = { name: string; text: string; values: unknown[] };

const seen = new WeakMap<TemplateStringsArray, { name: string; text: string }>();

/**
 * sql`select … where id = ${id}`: every `${}` becomes a parameter, never text. There is no way to
 * splice a string into a statement, so there is nothing to escape.
 */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): Statement {
  let statement = seen.get(strings);
  if (!statement) {
    const text = strings.reduce((sum, part, i) => `${sum}$${i}${part}`).trim();
    statement = { name: createHash('sha256').update(text).digest('base64url').slice(0, 22), text };
    seen.set(strings, statement);
  }
  return { ...statement, values };
}
