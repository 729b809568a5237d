import type { Database, Queryable } from '../storage/database.ts';
import { sql } from '../storage/sql.ts';
import type { AppRow } from './store.ts';

/** The operator's role: sees every app, also disabled ones. Deleted apps are not there, but their names are. */

/** The operator's database for single statements. */
export const everyApp = (operatorDb: Database): Queryable => ({
  query: (statement) => operatorDb.query(undefined, statement),
});

export async function appById(q: Queryable, appId: string): Promise<AppRow | undefined> {
  const [row] = await q.query<AppRow>(sql`
    select app_id, name, settings, logo, revision, built_in, created_at, updated_at, disabled_at
    from apps where app_id = ${appId} and deleted_at is null`);
  return row;
}

/** Nobody else changes the app, its clients or its keys until the transaction ends. */
export async function lockApp(tx: Queryable, appId: string): Promise<AppRow | undefined> {
  const [row] = await tx.query<AppRow>(
    sql`select app_id, name, settings, logo, revision, built_in, created_at, updated_at, disabled_at
        from apps where app_id = ${appId} and deleted_at is null for update`,
  );
  return row;
}

/** By name; `after` is an app_id. */
export function listApps(
  q: Queryable,
  page: { limit: number; after?: string | undefined },
): Promise<AppRow[]> {
  return q.query<AppRow>(sql`
    select app_id, name, settings, logo, revision, built_in, created_at, updated_at, disabled_at
    from apps where deleted_at is null and app_id collate "C" > ${page.after ?? ''} order by app_id collate "C" limit ${page.limit}`);
}

/** undefined when the name is, or ever was, in use. */
export async function insertApp(
  tx: Queryable,
  app: { appId: string; name: string; settings: object; builtIn: boolean },
): Promise<AppRow | undefined> {
  const [row] = await tx.query<AppRow>(sql`
    insert into apps (app_id, name, settings, built_in) values (${app.appId}, ${app.name}, ${app.settings}::jsonb, ${app.builtIn})
    on conflict do nothing returning app_id, name, settings, logo, revision, built_in, created_at, updated_at, disabled_at`);
  return row;
}

export async function writeApp(
  tx: Queryable,
  app: { appId: string; name: string; settings: object; disabled: boolean },
): Promise<void> {
  await tx.query(sql`
    update apps set name = ${app.name}, settings = ${app.settings}::jsonb,
      disabled_at = case when ${app.disabled}::boolean then coalesce(disabled_at, now()) end
    where app_id = ${app.appId}`);
}

export async function writeSettings(tx: Queryable, appId: string, settings: object): Promise<void> {
  await tx.query(sql`update apps set settings = ${settings}::jsonb where app_id = ${appId}`);
}

/** null: none is shown. */
export async function writeAppLogo(tx: Queryable, appId: string, logo: object | null): Promise<void> {
  await tx.query(sql`update apps set logo = ${logo}::jsonb where app_id = ${appId}`);
}

/** Tells every process that what it knows of the app is old. */
export async function bumpRevision(tx: Queryable, appId: string): Promise<void> {
  await tx.query(sql`update apps set revision = revision + 1, updated_at = now() where app_id = ${appId}`);
}

/** The row stays: the name is taken for ever. */
export async function markAppDeleted(tx: Queryable, appId: string): Promise<void> {
  await tx.query(sql`update apps set deleted_at = now() where app_id = ${appId}`);
}
