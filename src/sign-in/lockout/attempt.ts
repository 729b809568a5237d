import { digestOf } from '../../kernel/secret.ts';

/** Whose attempts are counted together: all strangers, one known device (a digest), or the codes typed from mails. */
export type Origin = string;

export const STRANGER: Origin = 'stranger';

/** One attempt to prove a secret, counted before the secret was looked at. */
export type Attempt = { appId: string; subject: string; origin: Origin; letThrough: boolean };

/** What failures are counted under: the same work for addresses that have no account. `identifier` is normalized. */
export function subjectOf(identifier: string): string {
  return digestOf(identifier);
}

/** Strangers can only lock out strangers: a device the user signed in from has its own count. */
export function originOf(device: string | undefined, isKnown: boolean): Origin {
  return device !== undefined && isKnown ? device : STRANGER;
}
