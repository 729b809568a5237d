import { Provider } from 'oidc-provider';
import { seconds } from '../kernel/duration.ts';
import { digestOf } from '../kernel/secret.ts';
import { epochSeconds } from './adapters/adapter-deps.ts';
import { sessionCookieOptions } from './cookies.ts';

type SessionModel = {
  uid: string;
  id: string;
  exp?: number;
  save(ttl: number): Promise<unknown>;
  sidFor(clientId: string, value?: string): string | undefined;
};
type IdTokenModel = {
  client?: { backchannelLogoutUri?: string };
  mask?: Record<string, unknown>;
  extra: Record<string, unknown>;
};

/** A client's name for a session. Not drawn: two first authorizations at once must not give it two. */
export const sidOf = (sessionUid: string, clientId: string): string =>
  digestOf(JSON.stringify([sessionUid, clientId]));

/**
 * `sid` (OpenID Connect Back-Channel Logout 1.0 §2.1) is in the ID tokens of exactly the clients that have a logout
 * URI, and of those that ask for it as a claim. The library asks for `backchannel_logout_session_required` too, and
 * hands on the one that access tokens carry.
 */
export function nameSessions(provider: Provider): void {
  Object.assign(provider.Client.prototype, {
    includeSid(this: { backchannelLogoutUri?: string }): boolean {
      return this.backchannelLogoutUri !== undefined;
    },
    /** Sign-out only puts its word into the outbox: see backchannel-logout/deliver.ts. */
    backchannelLogout: (): Promise<void> => Promise.resolve(),
  });
  Object.assign(provider.Session.prototype, {
    /**
     * The library calls this where it drew a form behind its own saving of the session, and fails for a browser that had
     * none: the form that was left open for too long. Here it gets one, so that the form it is shown again works.
     */
    async persist(this: SessionModel): Promise<unknown> {
      if (this.exp !== undefined) return this.save(this.exp - epochSeconds());
      const { oidc } = Provider.ctx!;
      oidc.cookies.set(oidc.provider.cookieName('session'), this.id, sessionCookieOptions);
      return this.save(10 * seconds.minute);
    },
    ensureClientContainer(this: SessionModel, clientId: string): void {
      if (!this.sidFor(clientId)) this.sidFor(clientId, sidOf(this.uid, clientId));
    },
  });
  Object.assign(provider.IdToken.prototype, {
    set(this: IdTokenModel, name: string, value: unknown): void {
      const asked = this.client?.backchannelLogoutUri !== undefined || 'sid' in (this.mask ?? {});
      if (name !== 'sid' || asked) this.extra[name] = value;
    },
  });
}
