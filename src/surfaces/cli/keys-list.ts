import { deploymentShelf } from '../../apps/keys/deployment/operator-store.ts';
import { appShelf } from '../../apps/keys/operator-store.ts';
import { everyApp } from '../../apps/operator-store.ts';
import { presentKeys } from '../../apps/present.ts';
import { type Command, jsonFlag } from './command.ts';
import { withAdministration } from './with-administration.ts';

export const keysList: Command = {
  name: 'keys list',
  summary: 'List the signing keys of the shared issuer or of an app.',
  flags: {
    app: { type: 'string', note: 'The app whose keys are meant; without it, those of the shared issuer.' },
    ...jsonFlag,
  },
  run({ program, values, print }) {
    const { app: appId, json } = values;
    return withAdministration(program, async ({ apps }) => {
      const shelf = typeof appId === 'string' ? appShelf(appId) : deploymentShelf;
      const keys = presentKeys(await shelf.list(everyApp(apps.operatorDb)));
      if (json) print.out(JSON.stringify(keys));
      for (const key of json ? [] : keys)
        print.out(
          [key.kid, key.algorithm, key.status.padEnd(11), key.active_at, key.retires_at ?? ''].join('  '),
        );
      return 0;
    });
  },
};
