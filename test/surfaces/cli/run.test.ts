import { expect } from 'chai';
import type { Program } from '../../../src/surfaces/cli/command.ts';
import { commands } from '../../../src/surfaces/cli/commands.ts';
import { runCommandLine } from '../../../src/surfaces/cli/run.ts';

const never = () => Promise.reject(new Error('nothing may be done here'));
const program = { version: '1.2.3', start: never, migrate: never, administer: never } as unknown as Program;

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const code = await runCommandLine(args, program, {
    out: (text) => (said.out += `${text}\n`),
    err: (text) => (said.err += `${text}\n`),
  });
  return { code, ...said };
}

describe('the command line', () => {
  it('lists every command with --help', async () => {
    for (const words of [['--help'], ['-h'], ['help']]) {
      const { code, out } = await run(...words);
      expect(code).to.equal(0);
      for (const { name, summary } of commands) expect(out).to.include(name).and.include(summary);
    }
  });

  it('explains each command with all its options, before and behind its name, and does nothing', async () => {
    for (const { name, summary, flags } of commands) {
      for (const words of [
        [...name.split(' '), '--help'],
        ['help', ...name.split(' ')],
      ]) {
        const { code, out } = await run(...words);
        expect(code, name).to.equal(0);
        expect(out).to.include(`latchkey ${name}`).and.include(summary);
        for (const flag of Object.keys(flags ?? {})) expect(out).to.include(`--${flag}`);
      }
    }
  });

  it('refuses commands, options and arguments it does not know with exit code 2', async () => {
    for (const words of [['strat'], ['migrate', '--fast'], ['migrate', 'now'], ['strat', '--help']]) {
      const { code, out, err } = await run(...words);
      expect(code, words.join(' ')).to.equal(2);
      expect(out).to.equal('');
      expect(err).to.include('latchkey');
    }
  });

  it('says its version', async () => {
    expect(await run('--version')).to.deep.equal({ code: 0, out: '1.2.3\n', err: '' });
  });
});
