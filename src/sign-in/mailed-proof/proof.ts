import type { AskedFrom } from '../../users/email-changes/store.ts';

/** What a mailed link is for. */
export type ProofKind = 'magic_link' | 'email_code' | 'sign_up' | 'reset';

/** Whether the browser that asked had signed this user in before. */
export type Asker = 'known' | 'stranger';

/** A link that was mailed, or would have been: the same is kept for addresses without an account. Never the secret. */
export type Proof = {
  kind: ProofKind;
  /** Of the secret in the link. */
  digest: string;
  /** Of the interaction it was asked for in. */
  uidDigest: string;
  /** Normalized. */
  email: string;
  /** The account it is for; undefined where there is none (yet). */
  userId: string | undefined;
  asker: Asker;
  askedFrom: AskedFrom;
  /** Sign-up only. */
  passwordHash?: string | undefined;
  locale?: string | undefined;
  /** Under what its code was counted when it was typed, to be taken back if it was right. */
  countedAs?: string | undefined;
};

/** Wrong codes that kill a link together with its code. */
export const CODE_TRIES = 5;

/** Codes typed for one account in a day; afterwards links work only in the browser that asked. */
export const CODES_A_DAY = 10;

/** Mails to one address within ten minutes, whatever they are about. */
export const MAILS_PER_WINDOW = 3;
export const MAIL_WINDOW_SECONDS = 600;
