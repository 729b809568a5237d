import type { audit } from './audit.ts';

/** Who does something and from where: the part of an audit event that a door knows and a rule does not. */
export type Author = Pick<Parameters<typeof audit>[1], 'actor' | 'address' | 'userAgent' | 'requestId'>;
