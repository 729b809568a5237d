import { Problem } from '../../kernel/problem.ts';

const KEYS: Readonly<Record<string, string>> = {
  'passkeys.refused': 'problem.passkey_refused',
  'passkeys.attestation_not_allowed': 'problem.passkey_attestation',
  'passkeys.taken': 'problem.passkey_taken',
  'passkeys.too_many': 'problem.passkey_many',
  'passkeys.too_late': 'problem.passkey_late',
  'passkeys.last_way_in': 'problem.passkey_last',
};

/** Key of the sentence that tells a person of an expected refusal; anything else is thrown on. */
export function sentenceFor(error: unknown): string {
  const key = error instanceof Problem ? KEYS[error.code] : undefined;
  if (key === undefined) throw error;
  return key;
}
