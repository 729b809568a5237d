import { parseArgs } from 'node:util';
import { ConfigFaults } from '../../config/faults.ts';
import { type Command, type Printer, type Program, UsageFault, type Values } from './command.ts';
import { commands } from './commands.ts';

const printer: Printer = {
  out: (text) => console.log(text),
  err: (text) => console.error(text),
};

/** Does what the arguments say; the exit code: 0, 1 when it did not work, 2 when the arguments make no sense. */
export async function runCommandLine(
  args: readonly string[],
  program: Program,
  print: Printer = printer,
): Promise<number> {
  const wantsHelp = args.some((arg) => arg === '--help' || arg === '-h') || args[0] === 'help';
  const words = args.filter((arg) => arg !== 'help').filter((arg) => !arg.startsWith('-'));
  if (args[0] === '--version') {
    print.out(program.version);
    return 0;
  }
  const command = find(words.length === 0 && !wantsHelp ? ['start'] : words);
  if (!command) return withoutCommand(words, { wantsHelp, print, version: program.version });
  if (wantsHelp) {
    print.out(helpOf(command));
    return 0;
  }
  try {
    return await command.run({ program, values: valuesOf(command, args), print });
  } catch (error) {
    if (error instanceof UsageFault) {
      print.err(`${error.message}\n\n${helpOf(command)}`);
      return 2;
    }
    print.err(error instanceof ConfigFaults ? error.message : plainly(error));
    return 1;
  }
}

/** The longest name that the words begin with. */
function find(words: readonly string[]): Command | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const found = words.length >= length && commands.find((command) => command.name === name);
    if (found) return found;
  }
  return undefined;
}

function withoutCommand(
  words: readonly string[],
  { wantsHelp, print, version }: { wantsHelp: boolean; print: Printer; version: string },
): number {
  // `latchkey keys --help`: the commands that begin so.
  const below = commands.filter((command) => words.length > 0 && command.name.startsWith(`${words[0]} `));
  if (wantsHelp && (words.length === 0 || below.length > 0)) {
    print.out(overview(version, below.length > 0 ? below : commands));
    return 0;
  }
  print.err(
    `There is no command "${words.join(' ')}".\n\n${overview(version, below.length > 0 ? below : commands)}`,
  );
  return 2;
}

function valuesOf(command: Command, args: readonly string[]): Values {
  const skipped = command.name.split(' ');
  // `latchkey` alone starts.
  const rest = args.slice(skipped.every((word, i) => args[i] === word) ? skipped.length : 0);
  try {
    return parseArgs({ args: [...rest], options: command.flags ?? {}, strict: true }).values as Values;
  } catch (error) {
    throw new UsageFault(error instanceof Error ? error.message.split('. ')[0]! : String(error));
  }
}

function helpOf(command: Command): string {
  const flags = Object.entries(command.flags ?? {}).map(([name, flag]): [string, string] => [
    `--${name}${flag.type === 'string' ? ` ${name.toUpperCase().replaceAll('-', '_')}` : ''}`,
    flag.note,
  ]);
  const lines = columns([...flags, ['--help', 'This page.']]);
  return `latchkey ${command.name}${flags.length ? ' [options]' : ''}\n\n${command.summary}\n\n${lines}`;
}

function overview(version: string, listed: readonly Command[]): string {
  const lines = columns(listed.map(({ name, summary }) => [name, summary]));
  return `Latchkey ${version}\n\nUsage: latchkey [command] [options]\n\n${lines}\n\nlatchkey COMMAND --help says more. Configuration comes from the environment; config/reference.md lists every variable.`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([first]) => first.length)) + 2;
  return rows.map(([first, second]) => `  ${first.padEnd(width)}${second}`).join('\n');
}

/** The chain of causes in one line each; the stack is for bugs, which `start` logs. */
export function plainly(error: unknown): string {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.message);
  return lines.join('\n  because ') || String(error);
}
