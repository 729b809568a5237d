import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Migration } from './file.ts';

const PATIENCE_MS = 2000;
const LOOK_EVERY_MS = 20;

/** A table that serves has other columns now: so it says, and what it locks so hard for. */
export const changesTables = ({ locks }: Migration): boolean =>
  locks?.some((line) => line.includes('(access exclusive)')) ?? true;

/**
 * 0.1.0 reads `select *` in prepared statements, and each of its connections refuses those for good once the table has got a
 * column ("cached plan must not change result type"). So its connections are closed, each when it has nothing to do; it opens
 * new ones by itself. Programs since name their columns. A connection that was asked nothing yet has prepared nothing, and is
 * left alone: a program of 0.1.0 that reads in one piece that it is open and that it is closed listens to no error yet, and ends.
 */
export async function renewConnections(
  client: pg.Client,
  roles: readonly string[],
  log: (message: string, fields: object) => void,
): Promise<void> {
  try {
    const borrowed = await borrow(client, roles);
    await closeAll(client, roles);
    for (const role of borrowed) await client.query(`revoke ${role} from current_user`);
  } catch (error) {
    log('connections of programs that serve could not be closed: end those of release 0.1.0 soon', {
      because: (error as Error).message,
    });
  }
}

/** An owner who made the roles may make itself a member, and only members may close their connections. */
async function borrow(client: pg.Client, roles: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ role: string }>({
    text: "select quote_ident(r) as role from unnest($1::text[]) r where not pg_has_role(r, 'usage')",
    values: [roles],
  });
  for (const { role } of rows)
    await client.query(`grant ${role} to current_user with inherit true, set false`);
  return rows.map(({ role }) => role);
}

async function closeAll(client: pg.Client, roles: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
  const older = `from pg_stat_activity where datname = current_database()
    and application_name in ('latchkey', 'latchkey-operator') and usename = any($1) and backend_start < $2 and query <> ''`;
  const count = async (text: string): Promise<number> =>
    (await client.query({ text, values: [roles, rows[0]!.now] })).rowCount ?? 0;
  for (const limit = performance.now() + PATIENCE_MS; performance.now() < limit; await sleep(LOOK_EVERY_MS)) {
    await count(`select pg_terminate_backend(pid) ${older} and state = 'idle'`);
    if ((await count(`select ${older}`)) === 0) return;
  }
  await count(`select pg_terminate_backend(pid) ${older}`);
}
