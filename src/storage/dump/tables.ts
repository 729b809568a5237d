import type pg from 'pg';

export type DumpedTable = { name: string; columns: string[]; hasRowSecurity: boolean };

/** What migrations keep for themselves. */
const NOT_COPIED = 'schema_migrations';

/**
 * Every table with its columns, referenced ones before those that refer to them: the order in which rows can be put in.
 * Throws when tables refer to each other in a circle.
 */
export async function tablesOf(client: pg.ClientBase): Promise<DumpedTable[]> {
  const { rows } = await client.query<DumpedTable & { refers_to: string[] }>(
    `select c.relname as name, c.relrowsecurity as "hasRowSecurity",
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       array(select r.relname::text from pg_constraint f join pg_class r on r.oid = f.confrelid
             where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid) as refers_to
     from pg_class c
     where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = current_schema()::regnamespace and c.relname <> $1
     order by c.relname`,
    [NOT_COPIED],
  );
  const ordered: DumpedTable[] = [];
  const placed = new Set<string>();
  while (ordered.length < rows.length) {
    const ready = rows.filter(
      (table) => !placed.has(table.name) && table.refers_to.every((name) => placed.has(name)),
    );
    if (ready.length === 0) throw new Error('tables refer to each other in a circle');
    for (const { refers_to: _, ...table } of ready) {
      ordered.push(table);
      placed.add(table.name);
    }
  }
  return ordered;
}

/** Values read the same on every server. Both ends of a copy set this. */
export async function settle(client: pg.ClientBase): Promise<void> {
  await client.query(`set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';
    set local extra_float_digits = 1; set local bytea_output = 'hex'; set local client_encoding = 'UTF8';
    set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`);
}
