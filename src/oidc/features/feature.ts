import type { Configuration } from 'oidc-provider';

/** The library's configuration of some features, each made in a file of its own. */
export type Feature<Name extends keyof NonNullable<Configuration['features']>> = Pick<
  NonNullable<Configuration['features']>,
  Name
>;
