import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { guards } from '../drills/guards.ts';
import { mutations } from './mutations.ts';

const root = new URL('../..', import.meta.url).pathname;

/** Both suites take minutes; whoever rewrites what one of them changes hears of it here. */
describe('what is taken out of the program, to see whether anybody notices', () => {
  for (const { name, edits } of [...mutations, ...guards])
    it(`is where it is looked for: ${name}`, () => {
      for (const [file, find] of edits)
        expect(readFileSync(join(root, file), 'utf8').split(find), `${file} holds ${find}`).to.have.length(2);
    });
});
