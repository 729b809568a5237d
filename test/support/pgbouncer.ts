import { chmodSync, chownSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { folder, freePort, type Program, startProgram } from './program.ts';

export type PgBouncer = Program & { port: number };

export const pgbouncerPath = (): string => process.env['PGBOUNCER_PATH'] ?? '/usr/sbin/pgbouncer';

export const hasPgBouncer = (): boolean => existsSync(pgbouncerPath());

/** PgBouncer in transaction mode before the Postgres at a socket, for each database and user at most so many connections to it. */
export async function startPgBouncer(
  socketDir: string,
  { poolSize, prepared }: { poolSize: number; prepared: boolean },
): Promise<PgBouncer> {
  const dir = folder('pgbouncer');
  const port = await freePort();
  const users = ['postgres', 'latchkey_server', 'latchkey_operator'];
  writeFileSync(join(dir, 'users.txt'), users.map((user) => `"${user}" ""\n`).join(''));
  writeFileSync(
    join(dir, 'pgbouncer.ini'),
    `[databases]
* = host=${socketDir}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${dir}/users.txt
pidfile = ${dir}/pid
logfile = ${dir}/log
admin_users = postgres
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 400
server_idle_timeout = 30
${prepared ? 'max_prepared_statements = 200\n' : ''}`,
  );
  // It refuses to run as root, and so does Postgres: it runs as that does.
  const { uid, gid } = statSync(socketDir);
  for (const path of [dir, join(dir, 'users.txt'), join(dir, 'pgbouncer.ini')]) chownSync(path, uid, gid);
  chmodSync(dirname(socketDir), 0o711);
  const program = await startProgram({
    command: pgbouncerPath(),
    args: [join(dir, 'pgbouncer.ini')],
    dir,
    account: { uid, gid },
    answers: () => isThere(port),
  });
  return { ...program, port };
}

async function isThere(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'pgbouncer' });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}
