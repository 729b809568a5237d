import { expect } from 'chai';
import type pg from 'pg';
import { planMigrations } from '../../src/storage/migrate.ts';
import { readMigrations } from '../../src/storage/migrations/file.ts';
import { statementsOf } from '../../src/storage/migrations/statements.ts';
import {
  IMPATIENT,
  locksOfMigration,
  locksOfStatement,
  migrateAt,
  migrationsWith,
  modeInWords,
  MODES,
  ownerOf,
  removeMigrations,
} from '../support/migrations.ts';
import { type Connection, createDatabase, createEmptyDatabase, dropDatabase } from '../support/servers.ts';
import { migrationsDir } from '../support/stores.ts';

const HEADER = '--@ locks: nothing that serves\n--@ serves: programs since 0001\n';

describe('one migration after the other', () => {
  let at: Connection;
  let owner: pg.Client;
  const dirs: string[] = [];
  const start = async (create: () => Promise<Connection>): Promise<void> => {
    at = await create();
    owner = await ownerOf(at);
  };
  afterEach(async () => {
    await owner.end();
    await dropDatabase(at);
    for (const dir of dirs.splice(0)) removeMigrations(dir);
  });
  const withMore = (more: Record<string, string>, wanted?: (name: string) => boolean): string => {
    const dir = migrationsWith(more, wanted);
    dirs.push(dir);
    return dir;
  };
  /** Rows that an index has to be built over. */
  const someSpent = (): Promise<unknown> =>
    owner.query(`insert into apps (app_id, name) values ('shop', 'Shop');
      insert into spent (app_id, kind, digest, expires_at) select 'shop', 'code', n::text, now() from generate_series(1, 500) n`);
  const isValid = async (index: string): Promise<boolean | undefined> =>
    (await owner.query('select indisvalid from pg_index where indexrelid = to_regclass($1)', [index])).rows[0]
      ?.indisvalid;

  it('locks what its file says, no table more and none harder', async () => {
    await start(createEmptyDatabase);
    const taken: Record<string, string[]> = {};
    const files = await readMigrations(migrationsDir);
    const hardest = new Map<string, string>();
    let n = 0;
    let isUsed = false;
    await migrateAt(at, {
      async before(statement) {
        // What serves has people; where nobody was ever stored, a migration may do as it likes.
        if (n === 1 && !isUsed) {
          isUsed = true;
          await owner.query(`insert into apps (app_id, name) values ('shop', 'Shop');
            insert into users (app_id, user_id) values ('shop', 'usr_ada')`);
        }
        const { name, inTransaction, text } = files[n]!;
        if (inTransaction && statement !== 'commit') return;
        const locks = inTransaction
          ? await locksOfMigration(owner)
          : await locksOfStatement(owner, statement);
        for (const { table, mode } of locks) {
          const words = modeInWords(mode);
          if (MODES.indexOf(words) > MODES.indexOf(hardest.get(table) ?? '')) hardest.set(table, words);
        }
        if (!inTransaction && statement !== statementsOf(text).at(-1)) return;
        taken[name] = [...hardest].map(([table, mode]) => `${table} (${mode})`).sort();
        hardest.clear();
        n += 1;
      },
    });
    const said = files.map(({ name, locks }) => [name, locks!.map((line) => line.split(', ')[0]!).sort()]);
    expect(taken).to.deep.equal(Object.fromEntries(said));
  });

  it('waits for a lock for a moment, lets others through, tries again, and says who had it', async () => {
    await start(createDatabase);
    const dir = withMore({ '9001_wider.sql': `${HEADER}alter table spent add column wider text;` });
    const told: Record<string, unknown>[] = [];
    const log = (message: string, fields: object): void => void told.push({ message, ...fields });
    await owner.query('begin; lock table spent in access share mode');
    const failure = await migrateAt(at, {
      migrationsDir: dir,
      patience: { ...IMPATIENT, lock: 1500, attempts: 1 },
      log,
    }).then(
      () => expect.fail('it was applied'),
      (error: Error) => error,
    );
    const chain = [failure, failure.cause, (failure.cause as Error).cause].map(String).join(' because ');
    expect(chain).to.match(/9001_wider.sql failed and was rolled back .*gave up after 1 attempts/);
    expect(chain).to.match(
      /"alter table spent add column wider text" waits for spent \(AccessExclusiveLock\), held by process \d+ \(postgres, somebody/,
    );
    expect(told[0]).to.include({ message: 'a migration waits for a lock', migration: '9001_wider.sql' });
    // The one who has it lets go when the first attempt has failed.
    const applied = await migrateAt(at, {
      migrationsDir: dir,
      patience: IMPATIENT,
      log: (message) => {
        if (message.includes('tries again')) void owner.query('rollback');
      },
    });
    expect(applied).to.deep.equal(['9001_wider.sql']);
  });

  it('has its indexes on tables with rows built before it, locking out nobody, also over what was left of one', async () => {
    await start(createDatabase);
    await someSpent();
    const dir = withMore({
      '9001_index.sql': `${HEADER}create index spent_note on spent (note);\ncreate table other (a int);\ncreate index other_a on other (a);`,
    });
    // An older snapshot: the index can be begun, and not be finished. Nobody is held up meanwhile.
    const reader = await ownerOf(at);
    await reader.query('begin isolation level repeatable read; select from spent');
    const first = migrateAt(at, { migrationsDir: dir }).catch((error: Error) => error);
    const building = async (): Promise<number | undefined> =>
      (
        await owner.query(
          "select pid from pg_stat_activity where datname = current_database() and query like 'create index concurrently spent_note%' and wait_event_type = 'Lock'",
        )
      ).rows[0]?.pid;
    let pid: number | undefined;
    for (const limit = Date.now() + 60_000; (pid = await building()) === undefined && Date.now() < limit; );
    await owner.query("set lock_timeout = 5000; update spent set note = 'x' where digest = '1'");
    await owner.query('select pg_terminate_backend($1, 60000)', [pid]);
    expect(await first).to.be.an('error');
    expect([await isValid('spent_note'), await isValid('other_a')]).to.deep.equal([false, undefined]);
    await reader.query('commit');
    await reader.end();
    const told: string[] = [];
    await migrateAt(at, { migrationsDir: dir, log: (message) => told.push(message) });
    expect(told[0]).to.equal('building an index before the migration, while others read and write');
    expect([await isValid('spent_note'), await isValid('other_a')]).to.deep.equal([true, true]);
  });

  it('is applied once by two processes that start at once, also while one builds an index that the other would hold up', async () => {
    await start(createDatabase);
    await someSpent();
    const dir = withMore({ '9001_index.sql': `${HEADER}create index spent_note on spent (note);` });
    const applied = await Promise.all([1, 2, 3].map(() => migrateAt(at, { migrationsDir: dir })));
    expect(applied.flat()).to.deep.equal(['9001_index.sql']);
  });

  it('does not keep a program of the release before waiting in the way of an index', async () => {
    await start(createDatabase);
    await someSpent();
    const dir = withMore({ '9001_index.sql': `${HEADER}create index spent_note on spent (note);` });
    // As it asks: one statement that waits as long as it takes.
    const older = await ownerOf(at);
    let asked: Promise<unknown> = Promise.resolve();
    const applied = await migrateAt(at, {
      migrationsDir: dir,
      async before(statement) {
        if (!/concurrently/.test(statement)) return;
        asked = older
          .query('select pg_advisory_lock(7355608)')
          .then(() => older.query('select pg_advisory_unlock_all()'));
        await asked;
      },
    });
    await asked;
    await older.end();
    expect(applied).to.deep.equal(['9001_index.sql']);
    expect(await isValid('spent_note')).to.equal(true);
  });

  it('stops a program that is too old in one line before it changes anything, and lets one that it serves start', async () => {
    await start(createDatabase);
    const known = (await readMigrations(migrationsDir)).at(-1)!.name.slice(0, 4);
    const ahead = (serves: string): string => `--@ locks: nothing that serves\n${serves}\nselect 1;`;
    await migrateAt(at, {
      migrationsDir: withMore({ '9001_wider.sql': ahead(`--@ serves: programs since ${known}`) }),
    });
    const told: string[] = [];
    expect(await migrateAt(at, { log: (message) => told.push(message) })).to.deep.equal([]);
    expect(told).to.deep.equal([
      'the database is newer than this program, up to 9001_wider.sql, and works with it',
    ]);
    const failureOf = (dir?: string): Promise<string> =>
      migrateAt(at, dir === undefined ? {} : { migrationsDir: dir }).then(
        String,
        (error: Error) => error.message,
      );
    // Two releases back: the newest that it knows is older than what the schema serves.
    const older = withMore({}, (name) => name < known);
    expect(await failureOf(older)).to.match(
      /^the database is newer than this program: it has \S+\. Start the newer release instead\.$/,
    );
    await owner.query("delete from schema_migrations where name like '0020%'");
    expect(await failureOf()).to.match(
      /another line of releases: it has 9001_wider.sql and lacks 0020_people.sql/,
    );
  });

  it('can be looked at beforehand: what is pending, what it locks and which indexes it builds, and nothing changes', async () => {
    await start(createEmptyDatabase);
    const connection = { ...at, user: 'postgres' };
    const { pending } = await planMigrations({ connection, migrationsDir });
    expect(pending.map(({ name }) => name)).to.deep.equal(
      (await readMigrations(migrationsDir)).map(({ name }) => name),
    );
    expect((await owner.query("select to_regclass('schema_migrations') as there")).rows[0].there).to.equal(
      null,
    );
    await migrateAt(at, { migrationsDir: withMore({}, (name) => name < '0015') });
    await owner.query(`insert into apps (app_id, name) values ('shop', 'Shop');
      insert into audit_events (app_id, event_id, type, actor_type, result) values ('shop', 'e', 't', 'system', 'success')`);
    const plan = await planMigrations({ connection, migrationsDir });
    expect(plan.pending[0]).to.deep.equal({
      name: '0015_account.sql',
      locks: [
        'users (share row exclusive), a moment: new tables refer to it',
        'audit_events (share), a moment: its index is built beforehand',
      ],
      serves: '0001',
      in_transaction: true,
      indexes: [{ name: 'audit_events_of_user', table: 'audit_events', bytes: 8192 }],
    });
    expect(
      (await planMigrations({ connection, migrationsDir: withMore({}, (name) => name < '0015') })).pending,
    ).to.deep.equal([]);
  });
});
