import type { DumpEnd, Progress } from '../../storage/dump/format.ts';
import type { Printer } from './command.ts';

const number = new Intl.NumberFormat('en');

/** A line for every table with rows, and every few seconds within a long one. Beside the answer, for people who wait. */
export function progressTo(print: Printer): Progress {
  return ({ table, rows, done }) => {
    if (rows > 0) print.err(`  ${table}  ${number.format(rows)} rows${done ? '' : ' …'}`);
  };
}

export function summaryOf(end: DumpEnd): string {
  const tables = Object.values(end.tables);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return `${number.format(rows)} rows in ${tables.length} tables`;
}

export const acceptUnreadableFlag = {
  'accept-unreadable': {
    type: 'boolean',
    note: 'Go on although some sealed values open with no key of ENCRYPTION_KEYS.',
  },
} as const;
