import type { AppSnapshot } from '../../apps/app.ts';
import type { SigningKey } from '../../apps/keys/signing-key.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import type { ArtifactCache } from '../../storage/artifact-cache.ts';
import type { Database } from '../../storage/database.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import type { Access } from '../../users/access.ts';
import type { MutualTls } from '../client-authentication.ts';
import type { IssuerKind } from '../issuers.ts';

/** What the adapters of one provider know: one app, at one issuer, at one revision. */
export type AdapterDeps = {
  db: Database;
  ephemeral: EphemeralStore;
  cache: ArtifactCache;
  access: Access;
  rootKeys: RootKeys;
  snapshot: AppSnapshot;
  appId: string;
  issuer: IssuerKind;
  issuerUrl: string;
  /** What of mutual TLS works in this deployment. */
  mtls: MutualTls;
  /** Keys that verify tokens of this issuer; the first one signs. */
  keys: readonly SigningKey[];
};

export const epochSeconds = (): number => Math.floor(Date.now() / 1000);

/**
 * The library compares with the clock of this process, the store with its own: what it gets are times on this
 * process's clock that leave exactly what is left on the store's, and the same time whenever it is asked: what is left
 * is not rounded before now is added. `remainingSeconds`: more than 0.
 */
export function onThisClock<Payload extends object>(
  payload: Payload,
  remainingSeconds: number,
): Payload & { exp: number } {
  const exp = Math.floor(Date.now() / 1000 + remainingSeconds);
  return { ...payload, exp: Math.max(epochSeconds() + 1, exp) };
}
