/** `http://127.0.0.1[:port]/…` and `http://[::1][:port]/…`, in their one plain spelling. */
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::\d{1,5})?((?:[/?].*)?)$/;

const withoutPort = (uri: string): string | undefined => {
  const match = LOOPBACK.exec(uri);
  return match ? `${match[1]}${match[2]}` : undefined;
};

/**
 * Whether a redirect URI is one of those registered: by exact comparison (RFC 9700 §2.1). Only the port of a native app
 * on the loopback addresses is left out of it (RFC 8252 §7.3); `localhost` is a name, and who answers to it is not sure.
 */
export function isRegisteredUri(uri: string, registered: readonly string[], native: boolean): boolean {
  if (registered.includes(uri)) return true;
  const bare = native ? withoutPort(uri) : undefined;
  return bare !== undefined && registered.some((one) => withoutPort(one) === bare);
}
