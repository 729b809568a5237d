import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Migration = {
  /** `0015_account.sql` */
  name: string;
  text: string;
  /** Of the text without the lines of its header: what is said about a released migration may be said better. */
  checksum: string;
  /** What it locks of what serves, and for how long; undefined where the file does not say. */
  locks: readonly string[] | undefined;
  /** The number of the newest migration that a program has to know to work on the schema that this one leaves. */
  serves: string | undefined;
  /** false: its statements are run one by one and each may be run again, for what a transaction can not hold. */
  inTransaction: boolean;
};

const NAME = /^\d{4}_[a-z0-9_]+\.sql$/;
const HEADER_LINE = /^--@ .*\n/gm;
const NO_LOCKS = 'nothing that serves';

/** `0015_account.sql` is number `0015`. */
export const numberOf = (name: string): string => name.slice(0, 4);

export async function readMigrations(dir: string): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => NAME.test(name)).sort();
  return Promise.all(
    names.map(async (name) => parseMigration(name, await readFile(join(dir, name), 'utf8'))),
  );
}

/** The form of the header is that of migrations/README.md, and a test holds every file to it. */
export function parseMigration(name: string, text: string): Migration {
  const of = (word: string): string[] =>
    [...text.matchAll(new RegExp(`^--@ ${word}: (.+)$`, 'gm'))].map(([, value]) => value!.trim());
  const locks = of('locks');
  return {
    name,
    text,
    checksum: createHash('sha256').update(text.replace(HEADER_LINE, '')).digest('hex'),
    locks: locks.length === 0 ? undefined : locks.filter((line) => line !== NO_LOCKS),
    serves: /^programs since (\d{4})$/.exec(of('serves')[0] ?? '')?.[1],
    inTransaction: of('transaction')[0] !== 'none',
  };
}
