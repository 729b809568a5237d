import type { Context } from 'koa';
import type { z } from 'zod';
import { fieldsOf, jsonBody, rawBody } from '../../http/bodies.ts';
import type { Author } from '../../events/author.ts';
import { findUnstorable } from '../../kernel/unstorable-text.ts';
import { invalidValue, noSuchRoute, unknownField } from './errors.ts';
import type { Call, Operation } from './operation.ts';

/** Everything an operation is called with, checked. Problems: 400 with the field at fault, 404, 413, 415. */
export async function readRequest(
  ctx: Context,
  params: Record<string, string>,
  operation: Operation,
  by: Author,
): Promise<Omit<Call<unknown, unknown, unknown>, 'reads'>> {
  return {
    params: readParams(params, operation.params),
    query: readQuery(ctx, operation.query),
    body: await readBody(ctx, operation.body),
    by,
  };
}

function readParams(params: Record<string, string>, schema: z.ZodType | undefined): unknown {
  const result = schema?.safeParse({ ...params });
  if (result && !result.success) throw noSuchRoute();
  return result?.data;
}

function readQuery(ctx: Context, schema: z.ZodType | undefined): unknown {
  // Refuses a parameter that is given twice.
  const query = { ...fieldsOf(ctx.querystring) };
  if (!schema) {
    const [unknown] = Object.keys(query);
    if (unknown !== undefined) throw unknownField(unknown.slice(0, 64));
    return undefined;
  }
  return checked(schema, query);
}

async function readBody(ctx: Context, schema: z.ZodType | undefined): Promise<unknown> {
  if (!schema) return undefined;
  // A body that may be left out: all of its fields are optional.
  const empty = ctx.get('transfer-encoding') === '' && Number(ctx.get('content-length') || 0) === 0;
  if (empty && schema.safeParse({}).success && !ctx.get('content-type')) return checked(schema, {});
  return checked(schema, await jsonBody(ctx));
}

/** The text of the body as it came, for comparing requests. */
export function bodyText(ctx: Context): Promise<string> {
  return ctx.method === 'GET' || ctx.method === 'HEAD' ? Promise.resolve('') : rawBody(ctx);
}

function checked(schema: z.ZodType, input: unknown): unknown {
  const result = schema.safeParse(input);
  if (!result.success) throw asProblem(result.error.issues);
  const unfit = findUnstorable(input);
  if (unfit !== undefined) throw invalidValue(unfit || undefined, 'holds a character that is no text');
  return result.data;
}

function asProblem(issues: readonly z.core.$ZodIssue[]) {
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) return unknownField([...unknown.path, unknown.keys[0]!].map(String).join('.').slice(0, 200));
  const issue = issues[0]!;
  return invalidValue(
    issue.path.length ? issue.path.map(String).join('.').slice(0, 200) : undefined,
    issue.message,
  );
}
