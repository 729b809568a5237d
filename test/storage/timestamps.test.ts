import { expect } from 'chai';
import pg from 'pg';
import { timestampOf } from '../../src/storage/timestamps.ts';

describe('timestamps of Postgres', () => {
  const stock = pg.types.getTypeParser(1184) as unknown as (text: string) => unknown;

  for (const text of [
    '2026-11-22 07:15:00+00',
    '2026-11-22 07:15:00.1+00',
    '2026-11-22 07:15:00.123456+00',
    '2026-11-22 07:15:00.999999+00',
    '1969-12-31 23:59:59.999+00',
    '0099-01-01 00:00:00+00',
    '12026-01-01 00:00:00+00',
    '2026-11-22 12:45:00.5+05:30',
    '2026-11-22 02:15:00-05',
    '0044-03-15 12:00:00+00 BC',
    'infinity',
    '-infinity',
  ])
    it(`${text} is what pg takes it for`, () => {
      expect(timestampOf(text)).to.deep.equal(stock(text));
    });
});
