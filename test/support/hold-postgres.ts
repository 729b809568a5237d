// Run by test/storage/embedded-postgres.test.ts: starts the database of the given directory, says where it is
// as one line of JSON, and holds it until it is killed.
import { startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts';

try {
  const postgres = await startEmbeddedPostgres({ dataDir: process.argv[2] as string, log: () => {} });
  console.log(JSON.stringify(postgres));
  setInterval(() => {}, 60_000);
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).message }));
}
