import type { AppSnapshot } from '../../apps/app.ts';
import { fapiAlgorithms } from '../../apps/security-profile.ts';
import type { Feature } from './feature.ts';

/** Whether the app keeps to the FAPI 2.0 Security Profile (Final). What its clients have to be was checked when it began to. */
export const isFapi = ({ app }: Pick<AppSnapshot, 'app'>): boolean =>
  app.settings.security_profile === 'fapi2';

export function fapi(snapshot: AppSnapshot): Feature<'fapi'> {
  return {
    fapi: isFapi(snapshot) ? { enabled: true, profile: '2.0' } : { enabled: false, profile: undefined },
  };
}

/** §5.4.1: of the algorithms those that the profile allows, where it holds. */
export const strict = <Name extends string>(snapshot: AppSnapshot, names: readonly Name[]): Name[] =>
  names.filter((name) => !isFapi(snapshot) || fapiAlgorithms.has(name));
