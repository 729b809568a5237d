import { rotateDeploymentKeys } from '../../apps/keys/deployment/rotate.ts';
import { deploymentShelf } from '../../apps/keys/deployment/operator-store.ts';
import { appShelf } from '../../apps/keys/operator-store.ts';
import { rotateKeys } from '../../apps/keys/rotate.ts';
import { isSigningAlgorithm, type SigningAlgorithm, signingAlgorithms } from '../../apps/keys/signer.ts';
import { everyApp } from '../../apps/operator-store.ts';
import { presentKeys } from '../../apps/present.ts';
import type { Author } from '../../events/author.ts';
import { type Command, jsonFlag, UsageFault, type Values } from './command.ts';
import { withAdministration } from './with-administration.ts';

const BY: Author = { actor: { type: 'operator', id: 'command line' } };

export const keysRotate: Command = {
  name: 'keys rotate',
  summary:
    'Publish the next signing key, of the shared issuer or of an app; it signs once verifiers know it.',
  flags: {
    app: { type: 'string', note: 'The app whose keys are meant; without it, those of the shared issuer.' },
    compromised: { type: 'string', note: 'The kid of a key to withdraw at once, with everything it signed.' },
    algorithm: {
      type: 'string',
      note: `${signingAlgorithms.join(', ')}; without it, what is in use. Becomes the setting of the app.`,
    },
    ...jsonFlag,
  },
  run({ program, values, print }) {
    const wish = { by: BY, algorithm: algorithmIn(values), compromised: text(values, 'compromised') };
    const appId = text(values, 'app');
    return withAdministration(program, async ({ apps }) => {
      const { key_id: kid } =
        appId === undefined
          ? await rotateDeploymentKeys(apps, wish)
          : await rotateKeys(apps, { ...wish, appId });
      const shelf = appId === undefined ? deploymentShelf : appShelf(appId);
      const keys = presentKeys(await shelf.list(everyApp(apps.operatorDb)));
      const key = keys.find((one) => one.kid === kid)!;
      if (values['json']) print.out(JSON.stringify(key));
      else
        print.out(
          key.status === 'next'
            ? `${kid} (${key.algorithm}) is published and signs from ${key.active_at} on.`
            : `${kid} (${key.algorithm}) signs now.`,
        );
      return 0;
    });
  },
};

function algorithmIn(values: Values): SigningAlgorithm | undefined {
  const name = text(values, 'algorithm');
  if (name === undefined || isSigningAlgorithm(name)) return name;
  throw new UsageFault(`--algorithm must be one of ${signingAlgorithms.join(', ')}`);
}

function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}
