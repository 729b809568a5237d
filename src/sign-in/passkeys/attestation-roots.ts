import { X509Certificate } from 'node:crypto';

/** Longer ones are nobody's: a model, its maker, and what stands between. */
const LONGEST_CHAIN = 8;

/**
 * Whether the certificates of a statement (`x5c`, the model's first) lead to one that the app trusts (RFC 5280 §6): each
 * is valid now and issued by the next, which may issue. A statement without certificates leads nowhere.
 */
export function leadsToRoot(x5c: readonly Uint8Array[], roots: readonly string[]): boolean {
  if (x5c.length === 0 || x5c.length > LONGEST_CHAIN) return false;
  try {
    const chain = x5c.map((bytes) => new X509Certificate(bytes));
    const anchors = roots.map((pem) => new X509Certificate(pem)).filter(isValidNow);
    const isWhole = chain.every((one, i) => isValidNow(one) && (i === 0 || isIssuedBy(chain[i - 1]!, one)));
    const last = chain.at(-1)!;
    return (
      isWhole &&
      anchors.some((anchor) => anchor.fingerprint256 === last.fingerprint256 || isIssuedBy(last, anchor))
    );
  } catch {
    // Not certificates at all.
    return false;
  }
}

const isIssuedBy = (one: X509Certificate, by: X509Certificate): boolean =>
  by.ca && one.checkIssued(by) && one.verify(by.publicKey);

function isValidNow({ validFrom, validTo }: X509Certificate): boolean {
  const now = Date.now();
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}
