/** How long an answer may be kept, in seconds (RFC 9111 §4.2.1), within bounds of ours. */
export function freshSeconds(
  headers: Headers,
  { least, most, otherwise }: { least: number; most: number; otherwise: number },
): number {
  const control = headers.get('cache-control') ?? '';
  const maxAge = /(?:^|[,\s])max-age=(\d{1,9})/i.exec(control)?.[1];
  const expires = Date.parse(headers.get('expires') ?? '');
  const seconds = /no-store|no-cache/i.test(control)
    ? 0
    : maxAge !== undefined
      ? Number(maxAge) - Number(headers.get('age') ?? 0)
      : Number.isNaN(expires)
        ? otherwise
        : (expires - Date.now()) / 1000;
  return Math.min(most, Math.max(least, Number.isFinite(seconds) ? seconds : 0));
}
