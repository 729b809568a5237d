import { RelyingParty } from './relying-party.ts';
import type { Playground } from './routes.ts';
import { Visits } from './visits.ts';

/** The playground of the demo app, whose credentials the composition root knows. */
export function createPlayground(options: {
  baseUrl: string;
  appName: string;
  clientId: string;
  clientSecret: string;
}): Playground {
  return { party: new RelyingParty(options), visits: new Visits(), appName: options.appName };
}
