import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const root = new URL('..', import.meta.url).pathname;
const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
/** The rows of the security checklist by section. What is not listed belongs to what Latchkey does not have yet. */
const SECTIONS = {
  'authorization endpoint (5.1)': from(1, 17),
  'token endpoint, tokens and metadata (5.2)': from(18, 33),
  'browser, session and interaction (5.3)': from(34, 46),
  'passwords, codes, links and recovery (5.4)': from(47, 59),
  'passkeys (5.5)': from(60, 63),
  'accounts that are joined (5.6)': from(69, 71),
  'server side (5.8)': from(77, 80),
};

/** Titles of `it` and `describe`, in whatever quotes; nothing that is skipped. */
const TITLE = /\b(?:it|describe)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;

const titles = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .flatMap((name) =>
    [...readFileSync(join(root, name), 'utf8').matchAll(TITLE)].map(([, , title]) => title!),
  );

describe('every row of the security checklist', () => {
  for (const [section, rows] of Object.entries(SECTIONS))
    it(`on the ${section} has a test named by its number`, () => {
      expect(
        rows.filter((row) => !titles.some((title) => new RegExp(`#${row}\\b`).test(title))),
      ).to.deep.equal([]);
    });
});
