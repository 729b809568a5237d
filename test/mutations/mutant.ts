import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../src/surfaces/cli/isolation/verify.ts';
import type { Mutation } from './mutations.ts';

const root = new URL('../..', import.meta.url).pathname;
const PARTS = [
  'src',
  'views',
  'migrations',
  'test/support',
  'test/isolation',
  'test/mutations',
  'package.json',
];

/** The matrix against a copy of the tree with the mutation in it, in a process of its own, until the first leak. */
export async function runMutated(mutation: Mutation): Promise<Report> {
  const tree = mutatedTree(mutation);
  try {
    const { driver = 'postgres', routes } = mutation;
    return await report(tree, [driver, routes.source]);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** `parts`: what of the tree is copied. */
export function mutatedTree(
  mutation: Pick<Mutation, 'edits' | 'unguarded'>,
  parts: readonly string[] = PARTS,
): string {
  const tree = mkdtempSync(join(tmpdir(), 'latchkey-mutant-'));
  for (const part of parts) cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  apply(mutation, tree);
  return tree;
}

/** A mutation that does not match exactly once is out of date, which is a failure like any other. */
function apply({ edits, unguarded = [] }: Pick<Mutation, 'edits' | 'unguarded'>, tree: string): void {
  for (const [file, find, replace] of edits) {
    const path = join(tree, file);
    const parts = readFileSync(path, 'utf8').split(find);
    if (parts.length !== 2) throw new Error(`out of date: ${file} holds ${parts.length - 1} times ${find}`);
    writeFileSync(path, parts.join(replace));
  }
  if (unguarded.length === 0) return;
  const policies = unguarded.map(
    (table) => `create policy mutation on ${table} to latchkey_server using (true) with check (true);`,
  );
  writeFileSync(join(tree, 'migrations', '9999_mutation.sql'), `${policies.join('\n')}\n`);
}

function report(tree: string, args: string[]): Promise<Report> {
  return new Promise((resolve, reject) => {
    const script = join(tree, 'test', 'mutations', 'one-run.ts');
    execFile(
      process.execPath,
      [script, ...args],
      { cwd: tree, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const line = stdout.split('\n').findLast((one) => one.startsWith('{'));
        if (line === undefined)
          reject(new Error(`the mutant did not run: ${stderr.slice(-2000)}`, { cause: error }));
        else resolve(JSON.parse(line) as Report);
      },
    );
  });
}
