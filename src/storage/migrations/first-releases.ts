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
 * new ones by itself. Programs since name their columns.
 */
export async function renewConnections(
  client: pg.Client,
  roles: readonly string[],
  log: (message: string, fields: object) => void,
): Promise<void> {
  const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
  const close = async (which: string): Promise<number> => {
    const { rowCount } = await client.query({
      text: `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
        and application_name in ('latchkey', 'latchkey-operator') and usename = any($1) and backend_start < $2 ${which}`,
      values: [roles, rows[0]!.now],
    });
    return rowCount ?? 0;
  };
  const limit = performance.now() + PATIENCE_MS;
  try {
    do {
      await close("and state = 'idle'");
      const { rowCount } = await client.query({
        text: `select from pg_stat_activity where datname = current_database()
          and application_name in ('latchkey', 'latchkey-operator') and usename = any($1) and backend_start < $2`,
        values: [roles, rows[0]!.now],
      });
      if (!rowCount) return;
      await sleep(LOOK_EVERY_MS);
    } while (performance.now() < limit);
    await close('');
  } catch (error) {
    log('connections of programs that serve could not be closed: end those of release 0.1.0 soon', {
      because: (error as Error).message,
    });
  }
}
