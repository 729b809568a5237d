import { ephemeralOnPostgres } from '../../src/storage/ephemeral-postgres.ts';
import { ephemeralOnRedis } from '../../src/storage/ephemeral-redis.ts';
import { testDatabase, testRedis } from '../support/stores.ts';
import { ephemeralStoreContract } from './ephemeral.contract.ts';

ephemeralStoreContract('Postgres', async () => {
  const database = await testDatabase();
  return { store: ephemeralOnPostgres(database.db), end: () => database.end() };
});

ephemeralStoreContract('Redis', async () => {
  const redis = await testRedis({ database: 'ephemeral' });
  return { store: ephemeralOnRedis(redis), end: () => redis.close() };
});
