import { disposableEmailBlocklistSet } from 'disposable-email-domains-js';
import { foldDomain } from '../apps/sign-up-settings.ts';

type DomainRules = {
  sign_up: 'open' | 'invite_only' | 'domain_restricted';
  email_domains_allowed: readonly string[];
  email_domains_denied: readonly string[];
  disposable_emails: 'allow' | 'refuse';
};

/**
 * Whether a person may take this address (normalized) at an app, at sign-up or for the one they have. Only the domain
 * and the settings are looked at, so the answer says nothing about accounts. Operators are not asked.
 */
export function isEmailDomainAllowed(email: string, rules: DomainRules): boolean {
  const domain = email.slice(email.lastIndexOf('@') + 1);
  if (isBelow(domain, rules.email_domains_denied)) return false;
  if (isBelow(domain, rules.email_domains_allowed)) return true;
  if (rules.sign_up === 'domain_restricted') return false;
  return rules.disposable_emails === 'allow' || !isDisposable(domain);
}

/** With the boundary of a label: `notexample.com` is not below `example.com`. */
const isBelow = (domain: string, parents: readonly string[]): boolean =>
  parents.some((parent) => {
    const folded = foldDomain(parent);
    return domain === folded || domain.endsWith(`.${folded}`);
  });

let disposable: ReadonlySet<string> | undefined;

/** The list names domains; whoever has one has all below it. Read when the first address is compared. */
function isDisposable(domain: string): boolean {
  disposable ??= disposableEmailBlocklistSet();
  const labels = domain.split('.');
  return labels.slice(0, -1).some((_, i) => disposable!.has(labels.slice(i).join('.')));
}
