import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type SourceFile = {
  /** From the root of the repository, with `/`. */
  path: string;
  text: string;
  /** Without comments; strings are kept. */
  code: string;
  lines: number;
  /** What it imports of ours, as paths; type-only imports included. */
  imports: string[];
  /** What it imports from packages and Node, by package name. */
  packages: string[];
};

export type SourceFunction = { name: string; lines: number; parameters: number };

export function readSourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mts|js|mjs)$/.test(name))
    .map((name) => read(posix.join(folder, name.replaceAll('\\', '/'))))
    .sort((a, b) => a.path.localeCompare(b.path));
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const code = withoutComments(text);
  const specifiers = specifiersOf(code);
  return {
    path,
    text,
    code,
    lines: text.split('\n').length - 1,
    imports: specifiers
      .filter((name) => name.startsWith('.'))
      .map((name) => posix.join(posix.dirname(path), name)),
    packages: specifiers.filter((name) => !name.startsWith('.')).map(packageName),
  };
}

// Strings and regular expressions come first, so that a `//` inside one is not taken for a comment.
function withoutComments(text: string): string {
  const tokens =
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[^])*`|(?<=[(,=:[!&|?{};\n]\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)|\/\/[^\n]*|\/\*[^]*?\*\//g;
  return text.replace(tokens, (all, kept: string | undefined) => kept ?? all.replace(/[^\n]/g, ' '));
}

function specifiersOf(code: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
    /\brequire\s*\(\s*['"]([^'"]+)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] as string));
}

function packageName(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/**
 * The named functions and methods of a file, measured by indentation, which the formatter guarantees: a
 * function ends at the first line that closes it at the depth where it began.
 */
export function functionsOf(file: SourceFile): SourceFunction[] {
  const lines = file.code.split('\n');
  const found: SourceFunction[] = [];
  const starts = [
    /^(\s*)(?:export )?(?:default )?(?:async )?function\*? ?(\w*)\s*(?:<|\()/,
    /^(\s*)(?:export )?const (\w+)(?:: [^=]+)? = (?:async )?(?:<[^>]*>)?\(/,
    /^(\s+)(?:static |async |get |set |override |private |public )*(\w+)(?:<[^(]*>)?\(/,
  ];
  lines.forEach((line, index) => {
    const match = starts.map((pattern) => pattern.exec(line)).find((each) => each !== null);
    if (!match || /^(if|for|while|switch|catch|return|await|throw|super|describe|it)$/.test(match[2] ?? ''))
      return;
    const indentation = match[1] as string;
    const rest = lines.slice(index).join('\n');
    const list = between(rest.slice(rest.indexOf('(', (match[0] as string).length - 1)));
    if (list === undefined || !/^[^;\n]*(=>|\{)/.test(list.after.trimStart())) return;
    // An object handed to a call looks alike: a function's parameters are followed by its body.
    const length = endOf(lines, index, indentation);
    found.push({ name: match[2] || 'default', lines: length, parameters: countParameters(list.inside) });
  });
  return found;
}

function endOf(lines: string[], start: number, indentation: string): number {
  for (let index = start + 1; index < lines.length; index++) {
    const line = lines[index] as string;
    if (line.startsWith(`${indentation}}`) && !/^\s*\}[:>)]* ?(\)|:).*\{$/.test(line))
      return index - start + 1;
    const depth = line.length - line.trimStart().length;
    if (line.trim() !== '' && depth <= indentation.length && !/^[})\]]/.test(line.trim()))
      return index - start;
  }
  return lines.length - start;
}

function between(text: string): { inside: string; after: string } | undefined {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    if ('([{'.includes(text[index] as string)) depth++;
    if (')]}'.includes(text[index] as string) && --depth === 0) {
      return { inside: text.slice(1, index), after: text.slice(index + 1) };
    }
  }
  return undefined;
}

function countParameters(list: string): number {
  let flat = list.replace(/'(?:[^'\\\n]|\\.)*'|=>/g, '');
  for (let before = ''; before !== flat; ) {
    before = flat;
    flat = flat.replace(/\([^()[\]{}<>]*\)|\[[^()[\]{}<>]*\]|\{[^()[\]{}<>]*\}|<[^()[\]{}<>]*>/g, '');
  }
  return flat.split(',').filter((each) => each.trim() !== '').length;
}

/** The files of the first cycle found, in order, or undefined. */
export function findCycle(files: SourceFile[]): string[] | undefined {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    trail.push(path);
    for (const next of byPath.get(path)?.imports ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    trail.pop();
    done.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path);
    if (cycle) return cycle;
  }
  return undefined;
}
