import { remoteVault, vaultOf } from './apps/keys/remote-vault.ts';
import type { KeyVault } from './apps/keys/signer.ts';
import type { Config } from './config/config.ts';
import { createOutgoing } from './http/outgoing.ts';
import type { Logger } from './telemetry/log.ts';

/** Where new keys are made: with us, or at SIGNER_URL, which is the only address this door leads to. */
export function vaultFrom({ signer }: Config, log: Logger): KeyVault {
  if (!signer) return vaultOf(undefined);
  const outgoing = createOutgoing({ allowedHosts: [new URL(signer.url).host], log });
  return vaultOf(remoteVault({ outgoing, url: signer.url, token: signer.token?.reveal() }));
}
