import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isSound, type Report } from '../../src/surfaces/cli/isolation/verify.ts';
import { type Mutation, mutations } from './mutations.ts';

const root = new URL('../..', import.meta.url).pathname;

describe('the isolation matrix turns red', function () {
  this.timeout(600_000);
  let seen = 0;
  const fatal = mutations.filter(({ survives }) => !survives);
  after(() => console.log(`      ${seen} of ${fatal.length} mutations killed`));

  for (const mutation of fatal)
    it(`when ${mutation.name}`, async () => {
      const report = await runMutated(mutation);
      expect(report.attempts, 'no route of the matrix is run').to.be.greaterThan(0);
      expect(isSound(report), `nothing was seen in ${report.attempts} attempts`).to.equal(false);
      seen += 1;
    });
});

describe('the isolation matrix stays green', function () {
  this.timeout(600_000);

  for (const mutation of mutations.filter(({ survives }) => survives))
    it(`when ${mutation.name}`, async () => {
      const report = await runMutated(mutation);
      expect(report.leaks).to.deep.equal([]);
      expect(report.controls.filter(({ works }) => !works)).to.deep.equal([]);
      expect(report.attempts).to.be.greaterThan(0);
    });
});

/** A copy of the tree with the mutation in it, run in a process of its own. */
async function runMutated(mutation: Mutation): Promise<Report> {
  const tree = mkdtempSync(join(tmpdir(), 'latchkey-mutant-'));
  try {
    for (const part of [
      'src',
      'views',
      'migrations',
      'test/support',
      'test/isolation',
      'test/mutations',
      'package.json',
    ])
      cpSync(join(root, part), join(tree, part), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    apply(mutation, tree);
    const { driver = 'postgres', routes } = mutation;
    return await report(tree, [driver, routes.source]);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** A mutation that does not match exactly once is out of date, which is a failure like any other. */
function apply({ edits, unguarded = [] }: Mutation, tree: string): void {
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
