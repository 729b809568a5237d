import type { Config } from '../config/config.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Views } from './views.ts';

/** What the Koa glue needs; the composition root makes it. */
export type HttpDeps = {
  config: Config;
  log: Logger;
  metrics: Metrics;
  views: Views;
  store: EphemeralStore;
  /** Derived from the newest root key: `deriveKey(root, 'csrf')`. */
  csrfKey: Buffer;
};
