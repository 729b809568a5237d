import { domainToASCII } from 'node:url';
import { z } from 'zod';

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The one form of a domain, that of addresses (users/email.ts). undefined: this is none. */
export function foldDomain(text: string): string | undefined {
  if (/[%/?#\\:[\]\s@]/.test(text)) return undefined;
  const domain = domainToASCII(text.normalize('NFKC').toLowerCase());
  return domain.length <= 253 && domain.split('.').every((label) => LABEL.test(label)) ? domain : undefined;
}

const domains = z
  .array(
    z
      .string()
      .max(253)
      .refine(
        (text) => foldDomain(text) !== undefined,
        'must be a domain, such as example.com, without an @',
      ),
  )
  .max(500)
  .default([]);

/** Settings of an app about who may make an account. They say nothing about accounts that are there, or that an operator makes. */
export const signUpSettings = {
  /** Anybody; nobody who was not invited; only addresses at `email_domains_allowed`. */
  sign_up: z.enum(['open', 'invite_only', 'domain_restricted']).default('open'),
  /** Domains, with all below them, that addresses may belong to although they are disposable; with `domain_restricted`, the only ones. */
  email_domains_allowed: domains,
  /** Domains, with all below them, that addresses may never belong to. */
  email_domains_denied: domains,
  /** Whether addresses of services that give them away for an hour are taken. */
  disposable_emails: z.enum(['allow', 'refuse']).default('allow'),
};
