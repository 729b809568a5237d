import { createReadStream } from 'node:fs';
import { loadConfig } from '../../config/load.ts';
import { createLogger } from '../../telemetry/log.ts';
import { type Command, jsonFlag, UsageFault } from './command.ts';
import { acceptUnreadableFlag, progressTo, summaryOf } from './copy-report.ts';

const summary = `Put a backup into a new, empty database, and bring its schema up to date.

Every table is compared with what the backup says of it before anything is kept: it is all there,
or nothing is. With the embedded database stop the server and name an empty DATA_DIR; with Redis
empty that first. ENCRYPTION_KEYS must hold the keys of the time of the backup.`;

export const restore: Command = {
  name: 'restore',
  summary,
  flags: {
    ...jsonFlag,
    from: { type: 'string', note: 'The file that `latchkey backup` wrote; - is standard input.' },
    ...acceptUnreadableFlag,
  },
  async run({ program, values, print }) {
    const from = values['from'];
    if (typeof from !== 'string' || from === '') throw new UsageFault('Say what to restore: --from FILE');
    const config = loadConfig();
    const log = createLogger({ ...config, logLevel: 'error' });
    const end = await program.restore(
      { config, log, progress: progressTo(print), acceptUnreadable: values['accept-unreadable'] === true },
      from === '-' ? process.stdin : createReadStream(from),
    );
    print.out(
      values['json']
        ? JSON.stringify(end)
        : `Restored ${summaryOf(end)}; every table was compared and is equal.`,
    );
    return 0;
  },
};
