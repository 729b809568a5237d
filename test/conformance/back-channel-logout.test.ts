import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { type LogoutReceiver, startLogoutReceiver } from '../support/logout-receiver.ts';
import { SIGNED_OUT } from '../support/sign-in.ts';
import { expectSignedOut, flow, startSubject, type Subject, tokenCall } from './provider-under-test.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

// oidcc-backchannel-rp-initiated-logout-certification-test-plan[response_type=code][client_registration=static_client]
describe('OpenID Connect Back-Channel Logout 1.0', () => {
  let subject: Subject;
  let receiver: LogoutReceiver;
  before(async () => {
    receiver = await startLogoutReceiver();
    subject = await startSubject({ env: { OUTBOUND_ALLOWED_HOSTS: receiver.host } });
    const changed = await subject.latchkey.admin('PATCH', '/apps/suite/clients/suite', {
      settings: {
        backchannel_logout_uri: receiver.uri('/backchannel_logout'),
        backchannel_logout_session_required: true,
      },
    });
    expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
  });
  after(async () => {
    await subject.latchkey.stop();
    await receiver.stop();
  });
  beforeEach(() => {
    receiver.received.length = 0;
  });

  /** The whole module: code flow, end_session_endpoint, one logout token, the way back. */
  async function signInAndOut(scope: string) {
    const agent = subject.latchkey.agent();
    const signedIn = await flow(subject, agent, { scope });
    const query = new URLSearchParams({
      id_token_hint: signedIn.tokens.id_token,
      post_logout_redirect_uri: SIGNED_OUT,
      state: 'a-state',
    });
    const page = await agent.open(`${subject.metadata['end_session_endpoint']}?${query}`);
    const { url } = await agent.submit(page, { logout: 'yes' }, { ending: '/logout/confirm' });
    expect(url).to.equal(`${SIGNED_OUT}?state=a-state`);
    const [told] = await receiver.wait(1);
    return { agent, signedIn, told: told! };
  }

  it('oidcc-backchannel-logout-discovery-endpoint-verification: says that it does this, with sid', () => {
    expect(subject.metadata).to.include({
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      end_session_endpoint: `${subject.issuer}/logout`,
    });
  });

  it('oidcc-backchannel-rp-initiated-logout: the client is told of the session that its ID token named, and it is over', async () => {
    const { agent, signedIn, told } = await signInAndOut('openid');
    expect([told.method, told.path]).to.deep.equal(['POST', '/backchannel_logout']);
    expect(told.headers['content-type']).to.match(/^application\/x-www-form-urlencoded/);
    expect([...told.form.keys()]).to.deep.equal(['logout_token']);
    const keys = createRemoteJWKSet(new URL(subject.metadata['jwks_uri']));
    // Back-Channel Logout 1.0 §2.4, §2.6; the algorithm is the one of the client's ID tokens.
    const { payload, protectedHeader } = await jwtVerify(told.token, keys, {
      issuer: subject.issuer,
      audience: subject.client.clientId,
      algorithms: ['RS256'],
      typ: 'logout+jwt',
      requiredClaims: ['iss', 'aud', 'iat', 'exp', 'jti', 'events'],
    });
    expect(protectedHeader.kid).to.be.a('string');
    expect(payload['events']).to.deep.equal({ [EVENT]: {} });
    expect(payload).to.not.have.property('nonce');
    expect(payload.sub).to.equal(signedIn.claims.sub);
    expect(payload['sid']).to.be.a('string').and.equal(signedIn.claims['sid']);
    expect(payload.iat).to.be.closeTo(Date.now() / 1000, 60);
    await expectSignedOut(subject, agent);
  });

  it('oidcc-backchannel-rp-initiated-logout: refresh tokens end with the session, those of offline_access as the client says', async () => {
    // Back-Channel Logout 1.0 §2.7. This client's are bound to the session, as a web client's are by default.
    const { signedIn } = await signInAndOut('openid offline_access');
    const { status, body } = await tokenCall(subject, subject.client, {
      grant_type: 'refresh_token',
      refresh_token: signedIn.tokens.refresh_token,
    });
    expect([status, body.error]).to.deep.equal([400, 'invalid_grant']);
  });
});
