import { inGroups, otpauthUri } from './one-time-code.ts';
import { qrCode } from './qr-code.ts';

/** What the pages show on which an authenticator app is set up. */
export function setupModel(about: { appName: string; account: string; seed: string }) {
  const uri = otpauthUri(about);
  return { qr: qrCode(uri), secret: inGroups(about.seed), otpauth_url: uri, account: about.account };
}
