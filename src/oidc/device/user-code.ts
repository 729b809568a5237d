import { deriveKey, macOf, type RootKeys } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import type { IssuerKind } from '../issuers.ts';

/** Eight of twenty consonants: no words, no digits to confuse, 34.5 bits (RFC 8628 §5.1, §6.1). */
export const userCodeForm = { charset: 'base-20', mask: '****-****' } as const;

/** What a person typed, as it is compared: case and separators are theirs. */
export const normalUserCode = (typed: string): string => typed.toUpperCase().replaceAll(/[^A-Z]/g, '');

export const shownUserCode = (normal: string): string => `${normal.slice(0, 4)}-${normal.slice(4)}`;

/** A user code is too short for a plain digest: whoever reads the store could try them all. */
export const userCodeMac = (rootKeys: RootKeys, userCode: string): string =>
  macOf(deriveKey(rootKeys[0], 'user-code'), normalUserCode(userCode));

/** Under this app's name stands what belongs to the deployment: which app's page a code leads to. */
const DEPLOYMENT = 'console';
const routeKey = (mac: string): string => `user-code:${mac}`;

type Route = { appId: string; issuer: IssuerKind };

/** Of all codes alive in the deployment no two are the same: false when this one is taken. */
export function claimUserCode(
  ephemeral: EphemeralStore,
  at: { mac: string; ttlSeconds: number } & Route,
): Promise<boolean> {
  const { mac, ttlSeconds, appId, issuer } = at;
  const value = JSON.stringify({ appId, issuer } satisfies Route);
  return ephemeral.put(DEPLOYMENT, routeKey(mac), value, { ttlSeconds, ifAbsent: true });
}

/** Where a code leads. Says nothing about whether it was used. */
export async function routeOfUserCode(ephemeral: EphemeralStore, mac: string): Promise<Route | undefined> {
  const found = await ephemeral.read(DEPLOYMENT, routeKey(mac));
  return found === undefined ? undefined : (JSON.parse(found) as Route);
}
