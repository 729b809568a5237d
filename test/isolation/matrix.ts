import type { Route } from '../../src/http/route-table.ts';
import { manyAddresses } from '../../src/surfaces/cli/isolation/call.ts';
import type { Side } from '../../src/surfaces/cli/isolation/side.ts';
import type { Probe } from '../../src/surfaces/cli/isolation/state.ts';
import { type Report, verifyIsolation } from '../../src/surfaces/cli/isolation/verify.ts';
import { type Driver, type Mail, startTestLatchkey, type TestLatchkey } from '../support/app.ts';

const ADMIN_KEY = 'test-admin-key-0123456789-0123456789-abcdef';

/** A program that believes this machine about addresses, so that the matrix can come from many. */
export const startForMatrix = (driver: Driver): Promise<TestLatchkey> =>
  startTestLatchkey({
    driver,
    env: { ADMIN_API_KEY: ADMIN_KEY, TRUSTED_PROXIES: '127.0.0.0/8,::1/128' },
  });

/** The matrix against a program of this process, with every row of both apps watched. */
export function runMatrix(
  latchkey: TestLatchkey,
  options: { isQuick?: boolean; routes?: readonly Route[]; probe?: Probe } = {},
): Promise<Report> {
  const { baseUrl } = latchkey;
  return verifyIsolation({
    baseUrl,
    adminKey: ADMIN_KEY,
    routes: options.routes ?? latchkey.latchkey.routes,
    from: manyAddresses,
    async mailbox(address) {
      const mails = (await (await fetch(`${baseUrl}/dev/inbox.json`)).json()) as Mail[];
      return mails.filter(({ to }) => to === address).map(({ text }) => text);
    },
    probe: options.probe ?? everyRow(latchkey),
    isQuick: options.isQuick,
  });
}

/** Leaks as one line each, for people who read a red test. */
export const inLines = ({ leaks }: Report): string[] =>
  leaks.map(({ route, credential, how, why }) => `${route}: ${credential} ${how}: ${why}`);

/**
 * A digest of every row of both apps in every table. Left out is what a refusal may leave: counters and other
 * short-lived things, failures in the trail, and the marks of a session having been used.
 */
export function everyRow(latchkey: TestLatchkey): Probe {
  let statement: string | undefined;
  return async (sides) => {
    statement ??= await statementOver(latchkey);
    const rows = await latchkey.sql<{ name: string; digest: string }>(statement, [
      sides.map(({ appId }: Side) => appId),
    ]);
    return Object.fromEntries(rows.map(({ name, digest }) => [`rows of ${name}`, digest]));
  };
}

const REFUSALS_MAY_WRITE = new Set(['ephemeral', 'sign_in_failures', 'idempotency_keys']);

async function statementOver(latchkey: TestLatchkey): Promise<string> {
  const tables = await latchkey.sql<{ name: string }>(
    `select c.table_name as name from information_schema.columns c join information_schema.tables b using (table_schema, table_name)
     where c.table_schema = 'public' and c.column_name = 'app_id' and b.table_type = 'BASE TABLE' order by 1`,
  );
  const restless = `- 'touched_at' - 'revision' - 'expires_at' - 'last_seen_at' #- '{payload,state}'`;
  return tables
    .filter(({ name }) => !REFUSALS_MAY_WRITE.has(name))
    .map(({ name }) => {
      const where = name === 'audit_events' ? `and t.result = 'success'` : '';
      return `select '${name}' as name, md5(coalesce(string_agg((to_jsonb(t) ${restless})::text, '|' order by to_jsonb(t)::text), '')) as digest
        from ${name} t where t.app_id = any($1) ${where}`;
    })
    .join(' union all ');
}
