import { z } from 'zod';
import { settingsInvalid } from './errors.ts';

/** A settings schema as a change: every setting may be left out, and what is left out gets no default. */
export function sparse(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return sparse(schema.unwrap() as z.ZodType);
  if (!(schema instanceof z.ZodObject)) return schema;
  return z.strictObject(
    Object.fromEntries(
      Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, part]) => [
        name,
        sparse(part).optional(),
      ]),
    ),
  );
}

export type Settings = Record<string, unknown>;

/**
 * What is stored stays sparse, so that a later, better default reaches every app that never chose. Throws
 * Problem `apps.settings_invalid` with `settings.<name>` when the result as a whole does not hold.
 */
export function mergeSettings(schema: z.ZodType, stored: Settings, change: Settings): Settings {
  const merged: Settings = { ...stored };
  for (const [name, value] of Object.entries(change)) {
    if (value !== undefined)
      merged[name] = isObject(value) && isObject(stored[name]) ? { ...stored[name], ...value } : value;
  }
  const result = schema.safeParse(merged);
  if (result.success) return merged;
  const issue = result.error.issues[0]!;
  throw settingsInvalid(['settings', ...issue.path].join('.'), issue.message);
}

const isObject = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
