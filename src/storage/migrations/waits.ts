import pg from 'pg';

/** What a statement waits for, and who has it. */
export type Wait = { what: string; mode: string; holders: string[] };

const LOOK_EVERY_MS = 200;

export type WaitWatch = {
  /** Tells what `work`, which runs on the connection of process `pid`, waited for last, once for each `work`. */
  during<T>(pid: number, work: Promise<T>, told: (wait: Wait) => void): Promise<T>;
  close(): Promise<void>;
};

/** Postgres says that a lock was not to be had, and not which: so another connection looks, from when it takes long. */
export function watchWaits(connection: pg.ClientConfig): WaitWatch {
  let open: Promise<pg.Client> | undefined;
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ ...connection, application_name: 'latchkey-migrate-watch' });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  return {
    async during(pid, work, told) {
      const state = { looking: false };
      const timer = setInterval(() => {
        if (state.looking) return;
        state.looking = true;
        void (open ??= connect())
          .then((client) => waitOf(client, pid))
          .then((wait) => wait && told(wait))
          .catch(() => {}) // it is only to tell more
          .finally(() => (state.looking = false));
      }, LOOK_EVERY_MS);
      try {
        return await work;
      } finally {
        clearInterval(timer);
      }
    },
    async close() {
      await open?.then((client) => client.end()).catch(() => {});
    },
  };
}

async function waitOf(client: pg.Client, pid: number): Promise<Wait | undefined> {
  const { rows } = await client.query<Wait>({
    text: `select coalesce(l.relation::regclass::text, l.locktype) as what, l.mode,
      array(select format('process %s (%s)', a.pid, concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state))
        from unnest(pg_blocking_pids(l.pid)) b join pg_stat_activity a on a.pid = b order by a.pid) as holders
      from pg_locks l where l.pid = $1 and not l.granted`,
    values: [pid],
  });
  return rows[0];
}

/** `users (AccessExclusiveLock), held by process 12 (postgres, psql, idle in transaction)` */
export const waitInWords = ({ what, mode, holders }: Wait): string =>
  `${what} (${mode})${holders.length ? `, held by ${holders.join(' and ')}` : ''}`;
