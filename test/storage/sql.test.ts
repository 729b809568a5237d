import { expect } from 'chai';
import { part, sql } from '../../src/storage/sql.ts';

describe('statements that are put together', () => {
  it('number the values of their parts where they stand, and are the same statement each time', () => {
    const where = (id: string) => part`where id = ${id}`;
    const found = (id: string, limit: number) =>
      sql`with one as (select ${'a'} from t ${where(id)}) select ${part``} * from one ${where(id)} limit ${limit}`;
    const first = found('x', 1);
    expect(first.text).to.equal(
      'with one as (select $1 from t where id = $2) select  * from one where id = $3 limit $4',
    );
    expect(first.values).to.deep.equal(['a', 'x', 'x', 1]);
    const second = found('y', 2);
    expect(second.name).to.equal(first.name);
    expect(second.values).to.deep.equal(['a', 'y', 'y', 2]);
  });

  it('are others where other parts are put into them', () => {
    const of = (isIn: boolean) => sql`select 1 ${isIn ? part`from t where id = ${7}` : part``}`;
    expect(of(true).text).to.equal('select 1 from t where id = $1');
    expect(of(false).text).to.equal('select 1');
    expect(of(true).name).not.to.equal(of(false).name);
    expect(of(false).values).to.deep.equal([]);
  });

  it('hold what looks like SQL as a value, in a part as anywhere', () => {
    const evil = "'; drop table users; --";
    const { text, values } = sql`select ${part`${evil}`}`;
    expect(text).to.equal('select $1');
    expect(values).to.deep.equal([evil]);
    expect(sql`select ${[evil]}`.values).to.deep.equal([[evil]]);
  });
});
