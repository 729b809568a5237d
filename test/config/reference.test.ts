import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { checkConfig } from '../../src/config/load.ts';
import { configReference, envExample } from '../../src/config/reference.ts';
import { noteOf, variableNames } from '../../src/config/variables.ts';

const committed = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the reference of the configuration', () => {
  it('is what `npm run generate` writes', () => {
    expect(committed('.env.example')).to.equal(envExample());
    expect(committed('config/reference.md')).to.equal(configReference());
  });

  it('names every variable in .env.example, and sets none', () => {
    for (const name of variableNames) expect(envExample()).to.include(`\n#${name}=`);
    expect(parseEnv(envExample())).to.deep.equal({});
  });

  it('gives examples that are sound', () => {
    const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 5)).toString('base64');
    const env = Object.fromEntries(
      variableNames.map((name) => {
        const { example } = noteOf(name);
        return [name, example.startsWith('(') ? key : example];
      }),
    );
    expect(checkConfig({ env }).faults).to.deep.equal([]);
  });

  it('says one sentence about each', () => {
    for (const name of variableNames)
      expect(noteOf(name).sentence, name)
        .to.match(/^[A-Z].*[.]$/)
        .and.not.match(/[.] [A-Z]/);
  });
});
