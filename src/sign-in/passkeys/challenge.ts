import { createHmac, timingSafeEqual } from 'node:crypto';
import { deriveKey, digestOf, newSecret, preparedKey, type RootKeys } from '../../kernel/secret.ts';
import { isSpent, spend } from '../../storage/spent.ts';
import type { Transaction } from '../../storage/database.ts';

/** What a challenge is good for: one purpose at one app, in one interaction or one session. */
export type ChallengeFor = {
  appId: string;
  purpose: 'sign_in' | 'second_factor' | 'registration';
  /** The interaction's uid, or the session's. Only the browser that holds its cookie gets that far. */
  subject: string;
};

export const CHALLENGE_SECONDS = 300;
/** Clocks of two processes may differ by so much. */
const SKEW_SECONDS = 15;

const RANDOM = 32;
const TIME = 6;
const MAC = 32;

/**
 * 256 random bits, the time, and a MAC that ties both to what the challenge is for. Nothing is stored until it is
 * answered: a page that is only looked at costs the stores nothing, and nobody can fill them with it.
 */
export function newChallenge(
  keys: RootKeys,
  at: ChallengeFor,
  now: number = Date.now(),
): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(RANDOM + TIME);
  head.write(newSecret(), 'base64url');
  head.writeUIntBE(now, RANDOM, TIME);
  return Buffer.concat([head, macOf(keys[0], at, head)]);
}

/** Whether it was made for this, by us, in the last five minutes. Says nothing about whether it was answered before. */
export function isChallengeFor(
  keys: RootKeys,
  at: ChallengeFor,
  challenge: string,
  now: number = Date.now(),
): boolean {
  const bytes = Buffer.from(challenge, 'base64url');
  if (bytes.length !== RANDOM + TIME + MAC || bytes.toString('base64url') !== challenge) return false;
  const head = bytes.subarray(0, RANDOM + TIME);
  const mac = bytes.subarray(RANDOM + TIME);
  if (!keys.some((key) => timingSafeEqual(macOf(key, at, head), mac))) return false;
  const age = (now - head.readUIntBE(RANDOM, TIME)) / 1000;
  return age >= -SKEW_SECONDS && age <= CHALLENGE_SECONDS;
}

/** Once: of many answers to one challenge a single one gets true. */
export function spendChallenge(tx: Transaction, appId: string, challenge: string): Promise<boolean> {
  const ttlSeconds = CHALLENGE_SECONDS + 4 * SKEW_SECONDS;
  return spend(tx, { appId, kind: 'passkey_challenge', digest: digestOf(challenge), ttlSeconds });
}

/** Whether it was answered, without answering it. */
export function isChallengeSpent(tx: Transaction, appId: string, challenge: string): Promise<boolean> {
  return isSpent(tx, appId, 'passkey_challenge', digestOf(challenge));
}

function macOf(root: Buffer, { appId, purpose, subject }: ChallengeFor, head: Buffer): Buffer {
  return createHmac('sha256', preparedKey(deriveKey(root, 'passkey-challenge')))
    .update(JSON.stringify([appId, purpose, subject]))
    .update(head)
    .digest();
}
