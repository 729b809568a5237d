import { loadConfig } from '../../config/load.ts';
import { createLogger } from '../../telemetry/log.ts';
import { type Command, jsonFlag, UsageFault } from './command.ts';
import { acceptUnreadableFlag, progressTo, summaryOf } from './copy-report.ts';

const summary = `Move from the embedded database in DATA_DIR to the one of DATABASE_URL, or back.

Set DATABASE_URL (and REDIS_URL, if there is to be one), stop every server, then run it with
--to external; to go back, with --to embedded while DATABASE_URL is still set. The database that
is moved to must be empty; the other is only read. Every table is compared before anything is
kept. People stay signed in; whoever is in the middle of signing in begins again.`;

export const move: Command = {
  name: 'move',
  summary,
  flags: { ...jsonFlag, to: { type: 'string', note: 'external or embedded.' }, ...acceptUnreadableFlag },
  async run({ program, values, print }) {
    const to = values['to'];
    if (to !== 'embedded' && to !== 'external')
      throw new UsageFault('Say where to: --to external, or --to embedded');
    const config = loadConfig();
    if (config.database.kind === 'embedded')
      throw new UsageFault('DATABASE_URL is not set: it names the external database, in both directions.');
    const log = createLogger({ ...config, logLevel: 'error' });
    const acceptUnreadable = values['accept-unreadable'] === true;
    const end = await program.move({ config, log, progress: progressTo(print), acceptUnreadable }, to);
    const next =
      to === 'external' ? 'Start the server now.' : 'Take DATABASE_URL out, then start the server.';
    print.out(
      values['json']
        ? JSON.stringify(end)
        : `Moved ${summaryOf(end)}; every table was compared and is equal. ${next}`,
    );
    return 0;
  },
};
