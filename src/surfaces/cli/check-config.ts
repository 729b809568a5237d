import { checkConfig as check } from '../../config/load.ts';
import type { Command } from './command.ts';

export const checkConfig: Command = {
  name: 'check-config',
  summary: 'Say what is wrong with the configuration. Changes nothing.',
  run({ print }) {
    const { faults, config } = check();
    for (const fault of faults) print.err(`${fault.variable}: ${fault.message}`);
    for (const warning of config?.warnings ?? []) print.err(`Note: ${warning}`);
    if (faults.length === 0)
      print.out(`The configuration is sound (${config!.environment}, ${config!.baseUrl}).`);
    return Promise.resolve(faults.length === 0 ? 0 : 1);
  },
};
