import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseMigration } from '../../src/storage/migrations/file.ts';
import { concurrentIndexOf, plainIndexOf, statementsOf } from '../../src/storage/migrations/statements.ts';

const dir = new URL('../../migrations', import.meta.url).pathname;

describe('the statements of a migration', () => {
  it('end at semicolons, but not at those in strings, names, comments and bodies', () => {
    const text = `-- first; not a statement
      create table a (b text default ';''' /* ; */, "c;" int);
      do $$ begin perform 1; perform ';'; end $$; -- the end;
      select $x$ $$; $x$, 1 - 2 / 3;;
      select 'last'`;
    expect(statementsOf(text).map((one) => one.replace(/\s+/g, ' '))).to.deep.equal([
      `create table a (b text default ';''' , "c;" int)`,
      `do $$ begin perform 1; perform ';'; end $$`,
      `select $x$ $$; $x$, 1 - 2 / 3`,
      `select 'last'`,
    ]);
  });

  it('know the indexes that they make, and how', () => {
    expect(plainIndexOf('create index a_b on a (b) where c')).to.deep.equal({
      name: 'a_b',
      table: 'a',
      definition: 'on a (b) where c',
    });
    expect(plainIndexOf('create unique index a_b on a (b)')).to.equal(undefined);
    expect(plainIndexOf('create index concurrently a_b on a (b)')).to.equal(undefined);
    expect(concurrentIndexOf('create unique index concurrently if not exists a_b\n on a (b)')).to.equal(
      'a_b',
    );
    expect(concurrentIndexOf('create index a_b on a (b)')).to.equal(undefined);
  });
});

describe('every migration', () => {
  const names = readdirSync(dir).sort();
  it('has a name in the form NNNN_what.sql, and a number of its own', () => {
    expect(names.filter((name) => !/^\d{4}_[a-z0-9_]+\.sql$/.test(name))).to.deep.equal([]);
    expect(new Set(names.map((name) => name.slice(0, 4))).size).to.equal(names.length);
  });

  for (const name of names)
    it(`${name} says what it locks, and which programs go on serving (docs/upgrading.md)`, () => {
      const text = readFileSync(join(dir, name), 'utf8');
      const { locks, serves } = parseMigration(name, text);
      const wrong = text
        .split('\n')
        .filter((line) => line.startsWith('--@'))
        .filter(
          (line) =>
            !/^--@ locks: (nothing that serves|[a-z_]+ \((access exclusive|exclusive|share row exclusive|share|share update exclusive|row exclusive)\), \S.{10,})$/.test(
              line,
            ) &&
            !/^--@ serves: programs since \d{4}$/.test(line) &&
            line !== '--@ transaction: none',
        );
      expect(wrong).to.deep.equal([]);
      expect(locks, '--@ locks: …').to.be.an('array');
      expect(serves, '--@ serves: programs since NNNN').to.be.a('string');
      expect(serves! <= name.slice(0, 4)).to.equal(true);
    });
});

/** Without the stars that stand for what the statement itself names: a list of its values, or a subquery. */
const ofTables = (text: string): string =>
  text
    .replaceAll(/\*(?= from unnest\()/g, '')
    .replaceAll(/\b(\w+)\.\*/g, (all, name) =>
      new RegExp(`(?:\\)|from asked|from held) ${name}\\b`).test(text) ? '' : all,
    );

describe('every statement of the program', () => {
  it('names its columns: a prepared one that answers with all there are is refused when a migration adds one', () => {
    const source = new URL('../../src', import.meta.url).pathname;
    const wrong = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) =>
        [...readFileSync(join(source, name), 'utf8').matchAll(/\b(?:sql|part)`([^`]*)/g)].map(
          ([, text]) => [name, text!] as const,
        ),
      )
      .filter(([, text]) => /(\b(select|returning|distinct|all)\s+|,\s*|\w\.)\*/.test(ofTables(text)));
    expect(wrong).to.deep.equal([]);
  });
});
