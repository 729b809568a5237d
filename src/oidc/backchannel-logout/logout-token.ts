import type { SigningKey } from '../../apps/keys/signing-key.ts';
import { signJwt } from '../sign-jwt.ts';

export type LogoutToken = {
  issuer: string;
  clientId: string;
  subject: string;
  sid: string;
  jti: string;
};

/** Two minutes: it is delivered at once or made anew (OpenID Connect Back-Channel Logout 1.0 §2.4). */
const LIFETIME_SECONDS = 120;

/** Signed as the ID tokens of this issuer are. `sid` and `sub` both: the client chooses what it looks up (§2.4). */
export function signLogoutToken(token: LogoutToken, key: SigningKey): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  // §2.4: an explicit type, so that it is never taken for an ID token, nor one for it. And no nonce.
  return signJwt(key, 'logout+jwt', {
    iss: token.issuer,
    aud: token.clientId,
    sub: token.subject,
    jti: token.jti,
    sid: token.sid,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    iat: now,
    exp: now + LIFETIME_SECONDS,
  });
}
