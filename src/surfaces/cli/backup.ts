import { createWriteStream } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { loadConfig } from '../../config/load.ts';
import { createLogger } from '../../telemetry/log.ts';
import { type Command, jsonFlag, UsageFault } from './command.ts';
import { progressTo, summaryOf } from './copy-report.ts';

const summary = `Write all rows of the database into one compressed file, while servers go on serving.

The file holds what the database held at one moment. It does not hold ENCRYPTION_KEYS, without
which its sealed values open to nobody: keep those apart. It does hold e-mail addresses and
digests of passwords: whoever may read it must be one you trust with the database.`;

export const backup: Command = {
  name: 'backup',
  summary,
  flags: { ...jsonFlag, to: { type: 'string', note: 'The new file; - is standard output.' } },
  async run({ program, values, print }) {
    const to = values['to'];
    if (typeof to !== 'string' || to === '') throw new UsageFault('Say where to write: --to FILE');
    const config = loadConfig();
    const log = createLogger({ ...config, logLevel: 'error' });
    const copying = { config, log, progress: progressTo(print) };
    if (to === '-') {
      await program.backUp(copying, process.stdout);
      return 0;
    }
    // A file of that name is always whole: it gets it at the end, and never another's.
    const partial = `${to}.partial-${process.pid}`;
    try {
      const end = await program.backUp(
        copying,
        createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true }),
      );
      await link(partial, to).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST' ? new Error(`${to} exists already; nothing was written`) : error;
      });
      print.out(values['json'] ? JSON.stringify(end) : `Backed up ${summaryOf(end)} to ${to}.`);
    } finally {
      await rm(partial, { force: true });
    }
    return 0;
  },
};
