import { z } from 'zod';
import { invalidValue } from './errors.ts';

const limit = z.coerce
  .number<string>()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .meta({ description: 'How many at most.' });
const after = z.string().max(500).optional().meta({ description: 'The value of next of the page before.' });

export const pageFields = { limit, after };
export const pageQuery = z.strictObject(pageFields);
export type PageQuery = z.output<typeof pageQuery>;

export const pageOfSchema = (item: z.ZodType) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: 'Hand it in as after; null on the last page.' }),
  });

/** One more than asked for, to know whether there is a next page. */
export function window(query: PageQuery): { limit: number; after: string | undefined } {
  return { limit: query.limit + 1, after: query.after === undefined ? undefined : openCursor(query.after) };
}

export function pageOf<Row>(
  rows: Row[],
  query: PageQuery,
  as: { cursor: (row: Row) => string; present: (row: Row) => unknown },
) {
  const items = rows.slice(0, query.limit);
  const last = items.at(-1);
  return {
    items: items.map(as.present),
    next: rows.length > query.limit && last !== undefined ? closeCursor(as.cursor(last)) : null,
  };
}

const closeCursor = (key: string): string => Buffer.from(key).toString('base64url');

function openCursor(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString();
  if (closeCursor(key) !== cursor || !/^[\x21-\x7e]{1,300}$/.test(key))
    throw invalidValue('after', 'is not a cursor that a page here gave out');
  return key;
}
