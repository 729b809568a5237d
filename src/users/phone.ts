/** E.164 as typed, spaces and usual separators taken out. undefined when it is no international number. */
export function normalizePhone(input: unknown): string | undefined {
  if (typeof input !== 'string' || input.length > 32) return undefined;
  const digits = input.trim().replace(/[ ().-]/g, '');
  return /^\+[1-9]\d{6,14}$/.test(digits) ? digits : undefined;
}
