import { importJWK, SignJWT } from 'jose';
import type { SigningKey } from '../../apps/app.ts';

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
export async function signLogoutToken(token: LogoutToken, key: SigningKey): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return (
    new SignJWT({
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      sid: token.sid,
    })
      // §2.4: an explicit type, so that it is never taken for an ID token, nor one for it. And no nonce.
      .setProtectedHeader({ alg: key.algorithm, kid: key.keyId, typ: 'logout+jwt' })
      .setIssuer(token.issuer)
      .setAudience(token.clientId)
      .setSubject(token.subject)
      .setJti(token.jti)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFETIME_SECONDS)
      .sign(await importJWK(key.privateJwk, key.algorithm))
  );
}
