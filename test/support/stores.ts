import { setTemplate, createDatabase, dropDatabase, testRedisUrl, type Connection } from './servers.ts';
import { Database, type DatabaseOptions } from '../../src/storage/database.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { connectRedis, type RedisConnection } from '../../src/storage/redis.ts';
import { redisUrl } from '../../src/config/formats.ts';

export const migrationsDir = new URL('../../migrations', import.meta.url).pathname;

setTemplate(async (connection) => {
  await migrate({
    connection: { ...connection, user: 'postgres' },
    migrationsDir,
    server: { user: 'latchkey_server' },
    operator: { user: 'latchkey_operator' },
    log: () => {},
  });
});

export type TestDatabase = {
  connection: Connection;
  db: Database;
  operatorDb: Database;
  end(): Promise<void>;
};

/** A fresh database of its own, seen through the server's and the operator's roles. */
export async function testDatabase(observe?: DatabaseOptions['observe']): Promise<TestDatabase> {
  const connection = await createDatabase();
  const open = (user: string): Database =>
    new Database({
      connection: { ...connection, user },
      applicationName: 'test',
      poolSize: 20,
      ofApps: user === 'latchkey_server',
      log: () => {},
      ...(observe ? { observe } : {}),
    });
  const db = open('latchkey_server');
  const operatorDb = open('latchkey_operator');
  return {
    connection,
    db,
    operatorDb,
    async end() {
      await Promise.all([db.close(), operatorDb.close()]);
      await dropDatabase(connection);
    },
  };
}

/** An app without keys or clients, for tests of stores. */
export async function insertBareApp(database: TestDatabase, appId: string): Promise<void> {
  await database.operatorDb.query(undefined, {
    name: '',
    text: 'insert into apps (app_id, name) values ($1, $1)',
    values: [appId],
  });
}

export function testRedis(of: { database: string }): Promise<RedisConnection> {
  return connectRedis(redisUrl.parse(testRedisUrl(of)), () => {});
}
