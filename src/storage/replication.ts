import type { Database } from './database.ts';
import { sql } from './sql.ts';

/** Which database of which cluster, the same on a standby; and how far its log of changes goes there. */
export type Position<P = bigint> = { database: string; position: P };

type Row = { database: string; position: string | null };

export async function positionOfPrimary(db: Database): Promise<Position> {
  const [row] = await db.query<Row>(
    undefined,
    sql`select s.system_identifier || '/' || d.oid as database, (pg_current_wal_lsn() - '0/0')::text as position
        from pg_control_system() s, pg_database d where d.datname = current_database()`,
  );
  return { database: row!.database, position: BigInt(row!.position!) };
}

/** `position`: what is shown to who asks; undefined where nothing is followed. */
export async function positionOfStandby(db: Database): Promise<Position<bigint | undefined>> {
  const [row] = await db.query<Row>(
    undefined,
    sql`select s.system_identifier || '/' || d.oid as database,
          case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::text end as position
        from pg_control_system() s, pg_database d where d.datname = current_database()`,
  );
  const { database, position } = row!;
  return { database, position: position === null ? undefined : BigInt(position) };
}
