import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const tests = new URL('..', import.meta.url).pathname;
const text = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');

describe('every numbered limit of docs/limits.md', () => {
  it('is tried by a test that carries its number, and every such test is written down', () => {
    const written = [...text.matchAll(/^\| (L\d+) \|/gm)].map(([, number]) => number!);
    const titles = readdirSync(tests, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.test\.ts$|^limits\//.test(name) && !name.startsWith('docs/'))
      .flatMap((name) => [...readFileSync(join(tests, name), 'utf8').matchAll(/\bit\(\s*['"`]((?:L\d+ )+)/g)])
      .flatMap(([, numbers]) => numbers!.trim().split(' '));
    expect(written).to.have.length(13);
    expect(titles).to.have.members(written);
  });
});
