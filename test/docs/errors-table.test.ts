import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ERRORS_PAGE, errorsPage, refusalsIn, refusalsOf } from '../../tools/errors-table.ts';

const SRC = join(import.meta.dirname, '..', '..', 'src');

describe('the table of errors', () => {
  it('is what the sources say (npm run docs:errors)', () => {
    expect(readFileSync(ERRORS_PAGE, 'utf8')).to.equal(errorsPage(refusalsIn(SRC)));
  });

  it('has a code of the form area.reason and a sentence for each', () => {
    for (const { code, sentence } of refusalsIn(SRC)) {
      if (code !== 'internal') expect(code).to.match(/^[a-z0-9_]+\.[a-z0-9_]+$/);
      expect(sentence, code).to.match(/\S/);
    }
  });

  it('reads sentences in every kind of quotes, with their placeholders', () => {
    const source = [
      "const a = () => new Problem({ code: 'a.one', kind: 'invalid', message: 'It\\'s {not} | a brace.' });",
      "const b = (most: number) => new Problem({ code: 'a.two', kind: 'limited', message: `At most ${at.most}.` });",
      "const c = (message = 'By default.') => new Problem({ code: 'a.three', kind: 'expired', message });",
    ].join('\n');
    expect(refusalsOf(source, 'sample.ts')).to.deep.equal([
      { code: 'a.one', status: 400, sentence: "It's {not} | a brace." },
      { code: 'a.two', status: 429, sentence: 'At most {most}.' },
      { code: 'a.three', status: 410, sentence: 'By default.' },
    ]);
  });

  it('refuses a Problem that it can not read', () => {
    expect(() => refusalsOf("throw new Problem({ ...details, code: 'a.one' });", 'sample.ts')).to.throw(
      'sample.ts',
    );
  });
});
