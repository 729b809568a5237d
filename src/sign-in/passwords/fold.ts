/** NFKC once, on the way in (NIST SP 800-63B-4 §3.1.1.2): full-width and composed forms are the same password. */
export function foldPassword(password: string): string {
  return password.normalize('NFKC');
}
