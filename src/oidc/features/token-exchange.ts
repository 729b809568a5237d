import { type App, type Client, isConfidential } from '../../apps/app.ts';

export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/**
 * Who gets as far as being refused by name: every confidential client of an app that has it on. What one may do is
 * its setting `token_exchange`, and is decided where refusals are recorded.
 */
export const mayAskForExchange = (app: App, client: Client): boolean =>
  app.settings.features.token_exchange && isConfidential(client);
