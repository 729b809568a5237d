import pg from 'pg';

/** Throws while a server is connected: what it acknowledged from now on would be lost. */
export async function refuseWhileServed(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...connection, application_name: 'latchkey-move' });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and application_name in ('latchkey', 'latchkey-operator')`,
    );
    if (rows[0]!.count > 0)
      throw new Error(
        `${rows[0]!.count} connections of servers are open to the external database: stop every one of them first`,
      );
  } finally {
    await client.end();
  }
}
