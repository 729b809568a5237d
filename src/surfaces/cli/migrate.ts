import { loadConfig } from '../../config/load.ts';
import { createLogger } from '../../telemetry/log.ts';
import type { Command } from './command.ts';

export const migrate: Command = {
  name: 'migrate',
  summary: 'Bring the schema up to date and stop.',
  async run({ program, print }) {
    const config = loadConfig();
    const applied = await program.migrate(config, createLogger(config));
    print.out(applied.length ? `Applied: ${applied.join(', ')}` : 'The schema is up to date.');
    return 0;
  },
};
