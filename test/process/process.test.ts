import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePort } from '../support/app.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

const entry = new URL('../../bin/latchkey.mjs', import.meta.url).pathname;

type Ended = { code: number | null; output: string };

function run(
  args: string[],
  env: Record<string, string>,
): { child: ChildProcess; ended: Promise<Ended>; said(text: RegExp): Promise<void> } {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH']!, ...env },
  });
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      output += data.toString();
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, output })));
  const said = (text: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (text.test(output)) resolve();
      };
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without saying ${text}:\n${output}`)));
    });
  return { child, ended, said };
}

/** How nice the threads of a process are, by their name (proc(5): the 19th field of stat). */
function prioritiesOf(pid: number): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1');
    const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(stat)!;
    found.set(name!, [...(found.get(name!) ?? []), Number(rest!.split(' ')[16])]);
  }
  return found;
}

describe('the process', function () {
  this.timeout(180_000);
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'latchkey-process-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it('says every fault of the configuration at once and does not start', async () => {
    for (const command of ['check-config', 'start']) {
      const { code, output } = await run([command], {
        DATA_DIR: dataDir,
        BASE_URL: 'ftp://x',
        PORT: 'many',
        LATCHKEY_TYPO: '1',
      }).ended;
      expect(code).to.equal(1);
      for (const name of ['BASE_URL', 'PORT', 'LATCHKEY_TYPO']) expect(output).to.include(name);
    }
  });

  it('accepts a sound configuration and writes nothing while checking it', async () => {
    const { code, output } = await run(['check-config'], {
      DATA_DIR: join(dataDir, 'none'),
      BASE_URL: 'http://localhost:4000',
    }).ended;
    expect(output).to.match(/sound/);
    expect(code).to.equal(0);
    expect(existsSync(join(dataDir, 'none'))).to.equal(false);
  });

  it('explains itself, and refuses commands it does not know', async () => {
    const help = await run(['--help'], { DATA_DIR: dataDir }).ended;
    expect(help.code).to.equal(0);
    for (const command of ['start', 'migrate', 'check-config', 'healthcheck'])
      expect(help.output).to.include(command);
    const unknown = await run(['strat'], { DATA_DIR: dataDir }).ended;
    expect(unknown.code).to.equal(2);
    expect(unknown.output).to.include('There is no command "strat"');
  });

  it('says where to go, finishes the request under way when told to stop, and ends with 0', async () => {
    const database = await createDatabase();
    const port = await freePort();
    const urlOf = (user: string): string =>
      `postgres://${user}@localhost/${database.database}?host=${encodeURIComponent(database.host)}`;
    const env = {
      DATA_DIR: dataDir,
      PORT: String(port),
      BASE_URL: `http://localhost:${port}`,
      DATABASE_URL: urlOf('latchkey_server'),
      DATABASE_MIGRATION_URL: urlOf('postgres'),
      DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
    };
    const { child, ended, said } = run(['start'], env);
    await said(/dev\/playground[\s\S]*dev\/inbox[\s\S]*admin_api_key/);
    expect((await run(['healthcheck'], env).ended).code).to.equal(0);
    // Whoever hashes or signs yields to whoever answers.
    const priorities = prioritiesOf(child.pid!);
    const own = getPriority();
    expect(priorities.get('libuv-worker')).to.deep.equal(Array(4).fill(Math.min(19, own + 5)));
    priorities.delete('libuv-worker');
    expect([...priorities.values()].flat()).to.satisfy((all: number[]) => all.every((nice) => nice === own));

    const body = 'client_id=nobody&grant_type=client_credentials';
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString();
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
    );
    await new Promise((resolve) => socket.write('', resolve));
    // The server has the request once it answers a later one on another connection.
    await fetch(`http://127.0.0.1:${port}/healthz`);
    child.kill('SIGTERM');
    await said(/requests under way are finished first/);
    socket.write(body.slice(10));
    await closed;
    expect(answer).to.match(/^HTTP\/1.1 401/);
    expect(answer).to.include('invalid_client');
    expect((await ended).code).to.equal(0);
    await dropDatabase(database);
  });
});
