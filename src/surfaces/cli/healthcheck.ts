import { checkConfig } from '../../config/load.ts';
import type { Command } from './command.ts';

export const healthcheck: Command = {
  name: 'healthcheck',
  summary: 'Ask the server of this configuration whether it is ready: for containers.',
  async run({ print }) {
    const { config } = checkConfig();
    const response = await fetch(`http://127.0.0.1:${config?.port ?? 3000}/readyz`, {
      signal: AbortSignal.timeout(3000),
    });
    print.out(await response.text());
    return response.ok ? 0 : 1;
  },
};
