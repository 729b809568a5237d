import pg from 'pg';

const TIMESTAMPTZ = 1184;
type ToDate = (text: string) => Date;

const ofAnyForm = pg.types.getTypeParser(TIMESTAMPTZ) as unknown as ToDate;

/**
 * A `timestamptz` as Postgres writes it to a session in UTC (`2026-11-22 07:15:00.123456+00`), which is ISO 8601 but for two
 * characters. Every other form, `infinity` and years before Christ among them, is left to pg, whose way costs several times as much.
 */
export function timestampOf(text: string): Date {
  if (text.charCodeAt(10) === SPACE && text.endsWith('+00')) {
    const date = new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
    if (!Number.isNaN(date.getTime())) return date;
  }
  return ofAnyForm(text);
}

const SPACE = 32;

/** How pg reads what comes back. */
export const typeParsers = {
  getTypeParser: (oid: number, format?: 'text' | 'binary'): unknown =>
    oid === TIMESTAMPTZ && format !== 'binary' ? timestampOf : pg.types.getTypeParser(oid, format as 'text'),
} as pg.CustomTypesConfig;
