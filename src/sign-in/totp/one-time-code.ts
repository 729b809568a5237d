import { generateSecret, generateURI, verifySync } from 'otplib';
import { seal, type SealedAt, unseal, type RootKeys } from '../../kernel/secret.ts';

/** Time-based one-time codes (RFC 6238) as every authenticator app knows them: SHA-1, six digits, thirty seconds. */
const PERIOD_SECONDS = 30;

/** 160 random bits in base32 (RFC 4226 §4, R6). */
export const newSeed = (): string => generateSecret({ length: 20 });

/**
 * The time step a code belongs to: the one at `now`, the one before or the one after (RFC 6238 §5.2, §6). undefined: it is
 * of none of them. That it was not used before, the database decides.
 */
export function stepOf(seed: string, code: string, now: number): number | undefined {
  const result = verifySync({ secret: seed, token: code, epoch: now, epochTolerance: PERIOD_SECONDS });
  return result.valid && 'timeStep' in result ? result.timeStep : undefined;
}

/** What the QR code holds, and what opens the authenticator app of a phone. */
export const otpauthUri = (about: { appName: string; account: string; seed: string }): string =>
  // A colon would end the issuer (Key URI Format).
  generateURI({ issuer: about.appName.replaceAll(':', ' '), label: about.account, secret: about.seed });

/** In groups of four, for typing. */
export const inGroups = (seed: string): string => seed.match(/.{1,4}/g)!.join(' ');

const placeOf = (appId: string, userId: string): SealedAt => ({
  appId,
  table: 'totp_authenticators',
  row: userId,
  column: 'seed',
});

export const sealSeed = (keys: RootKeys, at: { appId: string; userId: string }, seed: string): string =>
  seal(keys, placeOf(at.appId, at.userId), seed);

export const openSeed = (keys: RootKeys, at: { appId: string; userId: string }, envelope: string): string =>
  unseal(keys, placeOf(at.appId, at.userId), envelope);
