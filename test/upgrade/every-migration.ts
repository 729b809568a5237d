// `npm run test:upgrade`, first part: each migration by itself, under full tables, and killed at each statement.
import { expect } from 'chai';
import { readMigrations } from '../../src/storage/migrations/file.ts';
import { migrateAt, migrationsWith, ownerOf, removeMigrations, schemaOf } from '../support/migrations.ts';
import { type Connection, createEmptyDatabase, dropDatabase } from '../support/servers.ts';
import { migrationsDir } from '../support/stores.ts';
import { APP, LARGE, multiply, SMALL } from './rows.ts';
import { type Hold, migrateAndMeasure, migrateInPieces } from './trials.ts';

const ROWS = 300_000;
const LONGEST_MS = 2000;
const HEADER = '--@ locks: users (access exclusive), a moment: so it says\n--@ serves: programs since 0001\n';

describe('every migration', function () {
  this.timeout(600_000);
  const databases: Connection[] = [];
  const dirs: string[] = [];
  const empty = async (): Promise<Connection> => {
    const database = await createEmptyDatabase();
    databases.push(database);
    return database;
  };
  const migrationsAnd = (more: Record<string, string>, wanted?: (name: string) => boolean): string => {
    const dir = migrationsWith(more, wanted);
    dirs.push(dir);
    return dir;
  };
  afterEach(async () => {
    for (const database of databases.splice(0)) await dropDatabase(database);
    for (const dir of dirs.splice(0)) removeMigrations(dir);
  });
  const schemaAt = async (at: Connection): Promise<string[]> => {
    const owner = await ownerOf(at);
    try {
      return await schemaOf(owner);
    } finally {
      await owner.end();
    }
  };
  const over = (holds: Hold[]): string[] => [
    ...new Set(holds.filter(({ ms }) => ms > LONGEST_MS).map(({ migration }) => migration)),
  ];

  /** The tables filled as soon as they are there, everything after that measured. */
  async function measured(dir: string, rows: number): Promise<Hold[]> {
    const at = await empty();
    const owner = await ownerOf(at);
    const holds: Hold[] = [];
    for (const since of [...new Set(LARGE.map((one) => one.since))].sort()) {
      const upTo = migrationsAnd({}, (name) => name.slice(0, 4) <= since);
      holds.push(...(await migrateAndMeasure(at, upTo)));
      if (since === '0001') await owner.query(APP);
      for (const { table, seed } of LARGE.filter((one) => one.since === since)) {
        await owner.query(seed);
        await multiply(owner, table, rows);
      }
    }
    await owner.end();
    return [...holds, ...(await migrateAndMeasure(at, dir))];
  }
  /** A machine that stands still for a moment does not do so three times at the same migration. */
  async function tooLong(dir: string, rows = ROWS): Promise<string[]> {
    let suspects: string[] | undefined;
    for (let run = 1; run <= 3 && (suspects === undefined || suspects.length > 0); run += 1) {
      const found = over(await measured(dir, rows));
      suspects = suspects?.filter((name) => found.includes(name)) ?? found;
    }
    return suspects!;
  }

  it('locks only tables whose size is known here', async () => {
    const locked = (await readMigrations(migrationsDir)).flatMap(({ locks }) =>
      locks!.map((line) => line.split(' ')[0]!),
    );
    const known = [...SMALL, ...LARGE.map(({ table }) => table)];
    expect(locked.filter((table) => !known.includes(table))).to.deep.equal([]);
  });

  it(`holds its locks for less than two seconds over ${ROWS.toLocaleString('en')} rows`, async () => {
    expect(await tooLong(migrationsDir)).to.deep.equal([]);
  });

  it('would be found if it held one for five seconds', async () => {
    const dir = migrationsAnd({
      '9001_slow.sql': `${HEADER}alter table users add column slow text;\nselect pg_sleep(5);`,
    });
    expect(await tooLong(dir, 1)).to.deep.equal(['9001_slow.sql']);
  });

  it('goes on where a process was killed, at whichever statement, and ends as if nothing had been', async () => {
    const piecemeal = migrationsAnd({
      '9001_piecemeal.sql': `${HEADER}--@ transaction: none
        create table if not exists pieces (a int);
        create unique index concurrently if not exists pieces_a on pieces (a);
        alter table spent add column if not exists piece text;`,
    });
    const [whole, pieces] = [await empty(), await empty()];
    await migrateAt(whole, { migrationsDir: piecemeal });
    expect(await migrateInPieces(pieces, piecemeal)).to.be.greaterThan(100);
    expect(await schemaAt(pieces)).to.deep.equal(await schemaAt(whole));
    expect(await migrateAt(pieces, { migrationsDir: piecemeal })).to.deep.equal([]);
  });

  it('would be found if it could not go on', async () => {
    const dir = migrationsAnd({
      '9001_once.sql': `${HEADER}--@ transaction: none\ncreate table one (a int);\ncreate table two (a int);`,
    });
    const at = await empty();
    await migrateAt(at);
    const failure = await migrateInPieces(at, dir).then(
      () => 'nothing was found',
      (error: Error) => `${error.message}: ${String(error.cause)}`,
    );
    expect(failure).to.match(/9001_once\.sql failed; .*relation "one" already exists/);
  });
});
