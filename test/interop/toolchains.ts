import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InteropClient } from './clients.ts';

export type Program = { command: string; args: string[]; version: string };

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const cache = join(root, 'tools', '.cache', 'interop');

const BUILD_LIMIT_MS = 15 * 60_000;

/** Builds a client's app where it needs building. A string names the missing toolchain. */
export function prepare(client: InteropClient): Program | string {
  mkdirSync(cache, { recursive: true });
  const folder = join(here, 'clients', client.name);
  switch (client.language) {
    case 'node':
    case 'browser':
      return {
        command: process.execPath,
        args: [`${folder}.mjs`],
        version: versionInNodeModules(client.package),
      };
    case 'python':
      return python(client, folder);
    case 'go':
      return go(client, folder);
    case 'java':
      return java(client, folder);
    case 'rust':
      return rust(client, folder);
  }
}

function versionInNodeModules(name: string): string {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function python(client: InteropClient, folder: string): Program | string {
  if (!has('python3', ['-m', 'venv', '--help'])) return 'Python 3 with venv (python3, python3-venv)';
  const environment = join(cache, 'python');
  const interpreter = join(environment, 'bin', 'python');
  if (!existsSync(interpreter)) run('python3', ['-m', 'venv', environment]);
  run(interpreter, ['-m', 'pip', 'install', '--quiet', '-r', join(folder, 'requirements.txt')]);
  const version = /^authlib==(\S+)$/im.exec(
    run(interpreter, ['-m', 'pip', 'freeze', '--disable-pip-version-check']),
  );
  return { command: interpreter, args: [join(folder, 'app.py')], version: version?.[1] ?? client.package };
}

function go(client: InteropClient, folder: string): Program | string {
  if (!has('go', ['version'])) return 'Go (go)';
  const program = join(cache, client.name);
  run('go', ['build', '-o', program, '.'], folder);
  const [, version] = run('go', ['list', '-m', client.package], folder).trim().split(' ');
  return { command: program, args: [], version: version ?? '' };
}

function java(client: InteropClient, folder: string): Program | string {
  if (!has('javac', ['-version'])) return 'a Java development kit, 17 or newer (javac)';
  if (!has('mvn', ['-version'])) return 'Maven (mvn)';
  const target = join(cache, client.name);
  run('mvn', ['-q', '-B', 'package', 'dependency:copy-dependencies', `-DbuildDirectory=${target}`], folder);
  const version = /<artifactId>oauth2-oidc-sdk<\/artifactId>\s*<version>([^<]+)/.exec(
    readFileSync(join(folder, 'pom.xml'), 'utf8'),
  );
  return {
    command: 'java',
    args: ['-cp', `${join(target, 'classes')}:${join(target, 'dependency', '*')}`, 'App'],
    version: version?.[1] ?? '',
  };
}

function rust(client: InteropClient, folder: string): Program | string {
  if (!has('cargo', ['--version'])) return 'Rust (cargo)';
  const target = join(cache, client.name);
  run('cargo', ['build', '--quiet', '--locked', '--target-dir', target], folder);
  const version = /name = "openidconnect"\nversion = "([^"]+)"/.exec(
    readFileSync(join(folder, 'Cargo.lock'), 'utf8'),
  );
  return { command: join(target, 'debug', 'app'), args: [], version: version?.[1] ?? '' };
}

function has(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function run(command: string, args: string[], cwd = here): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  return stdout;
}
