import { expect } from 'chai';
import pg from 'pg';
// @ts-expect-error Its types do not name it.
import { prepareValue } from 'pg/lib/utils.js';
import { lookUpOptions } from '../../src/storage/scoped-query.ts';
import type { Statement } from '../../src/storage/sql.ts';
import { LINK, linkIn, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import { authorizationRequest, discover, issuerOf, makeApp, makeUser, signedIn } from '../support/sign-in.ts';
import { signOut } from '../support/sign-out.ts';
import { introspect, post, refresh, userinfo } from '../support/token-calls.ts';

const APP = 'shop';
const ROWS = 2000;
/** More than any of these statements has to look at, and far from a table. */
const MOST = 100;

type Node = {
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Join Filter'?: number;
  Plans?: Node[];
};

/** All rows that were looked at, on whichever way. */
function looked(node: Node): number {
  const kept = node['Actual Rows'] ?? 0;
  const here = kept + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Join Filter'] ?? 0);
  return (node.Plans ?? []).reduce((sum, inner) => sum + looked(inner), here * (node['Actual Loops'] ?? 1));
}

describe('statements of requests that were planned while their tables were empty', function () {
  this.timeout(120_000);
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let latchkey: TestLatchkey;
  let client: pg.Client;
  const statements = new Map<string, Statement>();

  before(async () => {
    database = await createDatabase();
    latchkey = await startTestLatchkey({
      driver: 'postgres',
      database,
      observe: (statement) => void statements.set(statement.text, statement),
    });
    client = new pg.Client({ ...database, user: 'latchkey_server', options: lookUpOptions });
    await client.connect();
    await client.query('set plan_cache_mode = force_generic_plan');
  });
  after(async () => {
    await client.end();
    await latchkey.stop();
    await dropDatabase(database);
  });

  /** What people and clients do all day. */
  async function day(): Promise<void> {
    const shop = await makeApp(latchkey, APP);
    const email = 'ada@example.com';
    await makeUser(latchkey, APP, email);
    statements.clear();
    const { agent, configuration, tokens } = await signedIn(latchkey, shop, { email });
    await userinfo(configuration, tokens.access_token);
    await introspect(configuration, shop, tokens.access_token);
    await refresh(configuration, shop, tokens.refresh_token!);
    // Again: what was there already is found now, and what is used a second time is refused.
    await agent.open((await authorizationRequest(configuration)).url.href);
    const second = await signedIn(latchkey, shop, { email, kind: 'own' });
    await refresh(second.configuration, shop, second.tokens.refresh_token!);
    await post(`${issuerOf(latchkey, APP, 'own')}/revoke`, shop, { token: second.tokens.access_token });
    const mailed = latchkey.agent();
    const page = await mailed.open(
      (await authorizationRequest(await discover(latchkey, shop, 'own'))).url.href,
    );
    await mailed.submit(page, { email }, { action: `${page.url}/magic-link` });
    await mailed.open(linkIn(await latchkey.mailWith(email, LINK)));
    await signOut(latchkey, agent, APP);
  }

  const inApp = async <T>(work: () => Promise<T>): Promise<T> => {
    await client.query('begin');
    await client.query("select set_config('latchkey.app_id', $1, true)", [APP]);
    try {
      return await work();
    } finally {
      await client.query('rollback');
    }
  };

  /** Who else came in the same busy minute, before autovacuum does. */
  async function others(): Promise<void> {
    const [each, later] = [`from generate_series(1, ${ROWS}) n`, `now() + interval '1 day'`];
    for (const text of [
      `insert into users (app_id, user_id) select '${APP}', 'user-' || n ${each}`,
      `insert into identifiers (app_id, kind, value, user_id) select '${APP}', 'email', 'mail-' || n, 'user-' || n ${each}`,
      `insert into passwords (app_id, user_id, hash) select '${APP}', 'user-' || n, '$argon2id$' ${each}`,
      `insert into known_devices (app_id, user_id, device) select '${APP}', 'user-' || n, 'device-' || n ${each}`,
      `insert into sign_in_failures (app_id, subject, origin) select '${APP}', 'subject-' || n, 'origin-' || n ${each}`,
      `insert into sessions (app_id, uid, session_id, digest, user_id, payload, expires_at, absolute_expires_at)
        select '${APP}', 'uid-' || n, 'id-' || n, 'digest-' || n, 'user-' || n, '{}', ${later}, ${later} ${each}`,
      `insert into session_clients (app_id, session_uid, client_id, issuer, issuer_kind, sid)
        select '${APP}', 'uid-' || n, '${APP}', 'issuer', 'own', 'sid-' || n ${each}`,
      `insert into grants (app_id, grant_id, user_id, client_id, session_uid, payload, expires_at)
        select '${APP}', 'grant-' || n, 'user-' || n, '${APP}', 'uid-' || n, '{}', ${later} ${each}`,
      `insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, payload, expires_at)
        select '${APP}', 'digest-' || n, 'own', 'grant-' || n, '${APP}', 'user-' || n, '{}', ${later} ${each}`,
      `insert into spent (app_id, kind, digest, expires_at) select '${APP}', 'code', 'digest-' || n, ${later} ${each}`,
      `insert into denied_tokens (app_id, jti, expires_at) select '${APP}', 'jti-' || n, ${later} ${each}`,
      `insert into ephemeral (app_id, key, value, expires_at) select '${APP}', 'key-' || n, '{}', ${later} ${each}`,
      `insert into audit_events (app_id, event_id, type, actor_type, user_id, result)
        select '${APP}', 'event-' || n, 'test', 'system', 'user-' || n, 'success' ${each}`,
    ])
      await latchkey.sql(text);
  }

  const execute = (name: string, { values }: Statement): string => {
    const literals = values.map((value) => {
      const text = prepareValue(value) as string | null;
      return text === null ? 'null' : pg.escapeLiteral(String(text));
    });
    return `execute ${name}${literals.length === 0 ? '' : `(${literals.join(', ')})`}`;
  };

  it('look up what they are asked for, and read no table', async () => {
    await day();
    const prepared: { name: string; statement: Statement }[] = [];
    for (const [at, statement] of [...statements.values()].entries()) {
      const name = `of_a_day_${at}`;
      await inApp(async () => {
        await client.query(`prepare ${name} as ${statement.text}`);
        await client.query(`explain ${execute(name, statement)}`);
        prepared.push({ name, statement });
      }).catch((error: pg.DatabaseError) => {
        // The operator's, who looks at other things.
        if (error.code !== '42501') throw error;
      });
    }
    expect(prepared.length).to.be.greaterThan(30);
    await others();
    const found: string[] = [];
    for (const { name, statement } of prepared) {
      // What only adds a row has done it.
      if (/^insert into \w+ \([^)]*\)\s+(?:values|select(?![^]*\sfrom\s))/.test(statement.text)) continue;
      const { rows } = await inApp(() =>
        client.query(`explain (analyze, timing off, format json) ${execute(name, statement)}`),
      );
      const count = looked(rows[0]['QUERY PLAN'][0].Plan as Node);
      if (count > MOST) found.push(`${count} rows: ${statement.text}`);
    }
    expect(found).to.deep.equal([]);
  });
});
