import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { Database } from '../../src/storage/database.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { sql } from '../../src/storage/sql.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { type PgBouncer, pgbouncerPath, startPgBouncer } from '../support/pgbouncer.ts';
import { createEmptyDatabase, dropDatabase, testSocketDir } from '../support/servers.ts';
import { makeApp, makeUser, signedIn, type TestClient } from '../support/sign-in.ts';
import { insertBareApp, migrationsDir, type TestDatabase, testDatabase } from '../support/stores.ts';
import { atOnce } from '../support/token-calls.ts';

const version = /PgBouncer (\d+)\.(\d+)/.exec(
  execFileSync(pgbouncerPath(), ['--version'], { encoding: 'utf8' }),
)!;
const knowsNames = Number(version[1]) > 1 || Number(version[2]) >= 21;
const modes = knowsNames ? (['unprepared', 'prepared'] as const) : (['unprepared'] as const);
if (!knowsNames)
  console.log(`    SKIPPED: named statements through PgBouncer need 1.21, this is ${version[0]}`);

/** A connection was waited for too long: one is not much on a slow machine. */
const isBusy = (error: Error): boolean => (error as { kind?: string }).kind === 'unavailable';
const orThrown = (error: Error): Error => {
  if (isBusy(error)) throw error;
  return error;
};

type Seen = { app: string | null; rows: string[]; limit: string };

for (const pooler of modes) {
  describe(`one connection to Postgres behind ${version[0]} in transaction mode, statements ${pooler}`, function () {
    this.timeout(300_000);
    const apps = ['left-app', 'right-app'];
    let bouncer: PgBouncer;
    let database: TestDatabase;
    const opened: Database[] = [];

    const open = (user: string, name = database.connection.database): Database => {
      const db = new Database({
        connection: { host: '127.0.0.1', port: bouncer.port, user, database: name },
        applicationName: 'pooled',
        poolSize: 12,
        pooler,
        log: () => {},
      });
      opened.push(db);
      return db;
    };
    const raw = async (user = 'latchkey_server'): Promise<pg.Client> => {
      const { database: name } = database.connection;
      const client = new pg.Client({ host: '127.0.0.1', port: bouncer.port, user, database: name });
      client.on('error', () => {});
      await client.connect();
      return client;
    };
    const connectionsToPostgres = async (): Promise<number> => {
      const [row] = await database.operatorDb.query<{ count: number }>(
        undefined,
        sql`select count(*)::int as count from pg_stat_activity
            where datname = current_database() and usename = 'latchkey_server' and application_name <> 'test'`,
      );
      return row!.count;
    };
    const whatIsSeen = sql`select current_setting('latchkey.app_id', true) as app, current_setting('statement_timeout') as limit,
      array(select distinct app_id from ephemeral order by 1) as rows`;

    before(async () => {
      bouncer = await startPgBouncer(testSocketDir(), { poolSize: 1, prepared: pooler === 'prepared' });
      database = await testDatabase();
      for (const app of apps) {
        await insertBareApp(database, app);
        await database.db.query(
          app,
          sql`insert into ephemeral (app_id, key, value, expires_at) values (${app}, 'mine', ${app}, now() + interval '1 day')`,
        );
      }
    });
    after(async () => {
      await Promise.all(opened.map((db) => db.close()));
      await database.end();
      await bouncer.end();
    });

    it('shows each of two apps at once its own rows and nothing of the other, whatever fails or breaks off in between', async () => {
      const processes = [open('latchkey_server'), open('latchkey_server')];
      const look = async (db: Database, app: string): Promise<void> => {
        const [seen] = await db.query<Seen>(app, whatIsSeen);
        expect(seen).to.deep.equal({ app, rows: [app], limit: '10s' });
      };
      const several = (db: Database, app: string): Promise<void> =>
        db.transaction(app, async (tx) => {
          for (let time = 0; time < 3; time += 1) {
            const [seen] = await tx.query<Seen>(whatIsSeen);
            expect(seen).to.deep.equal({ app, rows: [app], limit: '10s' });
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
      const failing = async (db: Database, app: string): Promise<void> => {
        const error = await db
          .query(app, sql`select 1 / (length(${app}) - length(${app}))`)
          .catch((it: Error) => it);
        expect(orThrown(error as Error)).to.include({ code: '22012' });
      };
      const givenUp = async (db: Database, app: string): Promise<void> => {
        const error = await db
          .transaction(app, async (tx) => {
            await tx.query(whatIsSeen);
            throw new Error('given up');
          })
          .catch((it: Error) => it);
        expect(orThrown(error as Error)).to.include({ message: 'given up' });
      };
      /** A process that dies in the middle of a transaction. */
      const breakingOff = async (_db: Database, app: string): Promise<void> => {
        const client = await raw();
        await client.query(`begin; set local latchkey.app_id = '${app}'`);
        (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      };
      /** Writing for the other app is refused by the policies, which only know the setting. */
      const reaching = async (db: Database, app: string): Promise<void> => {
        const other = apps.find((each) => each !== app)!;
        const error = await db
          .query(
            app,
            sql`insert into ephemeral (app_id, key, value, expires_at) values (${other}, 'theirs', '', now())`,
          )
          .catch((it: Error) => it);
        expect(orThrown(error as Error)).to.include({ code: '42501' });
      };
      const doings = [look, several, failing, look, givenUp, several, reaching, look, breakingOff, several];
      const patiently = async (doing: typeof look, db: Database, app: string): Promise<void> => {
        for (;;) {
          const error = await doing(db, app).catch((it: Error) => it);
          if (error === undefined) return;
          if (!isBusy(error)) throw error;
        }
      };
      // Eight at once, who wait for one another at the one connection.
      let round = 0;
      const someone = async (at: number): Promise<void> => {
        while (round < 120) {
          round += 1;
          const doing = doings[(round + 3 * at) % doings.length]!;
          await patiently(doing, processes[(round + at) % 2]!, apps[at % 2]!);
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, at) => someone(at)));
      for (const db of processes) for (const app of apps) await look(db, app);
      expect(await connectionsToPostgres()).to.equal(1);
    });

    it('leaves nothing of an app on the connection: whoever gets it next sees no row, and no limit of ours', async () => {
      const db = open('latchkey_server');
      const client = await raw();
      for (const app of apps) {
        await db.query(app, whatIsSeen);
        await db.query(app, sql`select 1 / 0`).catch(() => {});
        const { rows } = await client.query(whatIsSeen.text);
        expect(rows[0]).to.deep.include({ rows: [], limit: '0' });
        expect(rows[0].app ?? '').to.equal('');
      }
      await client.end();
    });

    it('is no way for migrations, whose locks are of a session: they say so and leave none', async () => {
      const empty = await createEmptyDatabase();
      const error = await migrate({
        connection: { host: '127.0.0.1', port: bouncer.port, user: 'postgres', database: empty.database },
        migrationsDir,
        server: { user: 'latchkey_server' },
        operator: { user: 'latchkey_operator' },
        log: () => {},
      }).catch((it: Error) => it);
      expect(String(error)).to.match(/let DATABASE_MIGRATION_URL lead to Postgres itself/);
      const client = new pg.Client({ ...empty, user: 'postgres' });
      await client.connect();
      expect((await client.query(`select * from pg_locks where locktype = 'advisory'`)).rows).to.deep.equal(
        [],
      );
      await client.end();
      await dropDatabase(empty);
    });

    describe('and a whole Latchkey', () => {
      let latchkey: TestLatchkey;
      const clients: TestClient[] = [];
      const users: string[] = [];
      const EMAIL = 'ada@example.com';

      before(async () => {
        const { database: name } = database.connection;
        const through = (user: string): string => `postgres://${user}@127.0.0.1:${bouncer.port}/${name}`;
        latchkey = await startTestLatchkey({
          database: database.connection,
          env: {
            DATABASE_URL: through('latchkey_server'),
            DATABASE_OPERATOR_URL: through('latchkey_operator'),
            DATABASE_POOLER: pooler,
          },
        });
        for (const appId of ['shop', 'mill']) {
          clients.push(await makeApp(latchkey, appId));
          users.push(await makeUser(latchkey, appId, EMAIL));
        }
      });
      after(() => latchkey.stop());

      it('signs people of two apps in at once, each at their own', async () => {
        const people = await Promise.all(
          clients.flatMap((client, at) =>
            Array.from({ length: 4 }, async () => {
              const { tokens } = await signedIn(latchkey, client, { email: EMAIL });
              return { claims: decodeJwt(tokens.access_token), appId: client.appId, userId: users[at] };
            }),
          ),
        );
        for (const { claims, appId, userId } of people)
          expect(claims).to.include({ app_id: appId, sub: userId });
        expect(
          await latchkey.sql('select app_id, count(*)::int from sessions group by 1 order by 1'),
        ).to.deep.equal([
          { app_id: 'mill', count: 4 },
          { app_id: 'shop', count: 4 },
        ]);
      });

      it('answers lists of two apps at once, each with its own people', async () => {
        await atOnce(20, async () => {
          const answers = await Promise.all(
            clients.map(({ appId }) => latchkey.admin('GET', `/apps/${appId}/users`)),
          );
          expect(answers.map(({ body }) => body.items.map((one: any) => one.user_id))).to.deep.equal(
            users.map((userId) => [userId]),
          );
        });
      });
    });
  });
}

describe('a Latchkey that was not told of the pooler', () => {
  it('says so instead of serving', async () => {
    const bouncer = await startPgBouncer(testSocketDir(), { poolSize: 2, prepared: false });
    const database = await testDatabase();
    const url = `postgres://latchkey_server@127.0.0.1:${bouncer.port}/${database.connection.database}`;
    const failure = await startTestLatchkey({
      database: database.connection,
      env: { DATABASE_URL: url, DATABASE_POOLER: '' },
    }).catch((error: Error) => error);
    expect(String(failure)).to.match(/set DATABASE_POOLER/);
    await database.end();
    await bouncer.end();
  });
});
