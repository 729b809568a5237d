import type pg from 'pg';
import { emailOf, type Stores } from '../targets.ts';
import { fillDatabase, steps } from './database.ts';

const APP = 'bench';

/** So many people in the app, `emailOf(0)` to `emailOf(count - 1)`, copies of the first with names of their own. */
export function fillPeople(stores: Stores, database: string, count: number): Promise<void> {
  return fillDatabase(stores, database, async (db) => {
    const has = await db.query<{ count: number }>('select count(*)::int from users where app_id = $1', [APP]);
    for (const [from, to] of steps(has.rows[0]!.count, count - 1)) await addPeople(db, from, to);
  });
}

/** Ids as the server makes them (UUIDv7, later people greater), in one statement so that a person is whole or not there. */
async function addPeople(db: pg.Client, from: number, to: number): Promise<void> {
  await db.query(
    `with first as (
       select u.*, e.verified_at, p.hash from identifiers e join users u using (app_id, user_id)
       join passwords p using (app_id, user_id) where e.app_id = $1 and e.kind = 'email' and e.value = $2
     ), made as materialized (
       select n, 'usr_' || lpad(to_hex((extract(epoch from now()) * 1000)::bigint - 10000000 + n), 12, '0')
         || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15) as id
       from generate_series($3::int, $4::int) n
     ), people as (
       insert into users (app_id, user_id, profile, metadata, locale)
       select app_id, id, profile || jsonb_build_object('name', 'Person ' || n), metadata, locale from first, made
     ), addresses as (
       insert into identifiers (app_id, kind, value, user_id, verified_at)
       select app_id, 'email', replace($2, '0', n::text), id, verified_at from first, made
     )
     insert into passwords (app_id, user_id, hash) select app_id, id, hash from first, made`,
    [APP, emailOf(0), from, to],
  );
}
