import express from 'express';
import session from 'express-session';
import * as oidc from 'openid-client';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, SESSION_SECRET } = process.env;
const home = `http://localhost:${PORT}`;
const config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, undefined, {
  execute: [oidc.allowInsecureRequests], // only because this runs on localhost without TLS
});

const app = express();
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }));

app.get('/login', async (request, response) => {
  const verifier = oidc.randomPKCECodeVerifier();
  Object.assign(request.session, { verifier, state: oidc.randomState(), nonce: oidc.randomNonce() });
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: `${home}/callback`,
    scope: 'openid email profile offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: request.session.state,
    nonce: request.session.nonce,
  });
  response.redirect(url.href);
});

app.get('/callback', async (request, response) => {
  const { verifier, state, nonce } = request.session;
  const tokens = await oidc.authorizationCodeGrant(config, new URL(request.originalUrl, home), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  Object.assign(request.session, { tokens, user: { claims: tokens.claims(), userinfo } });
  response.redirect('/me');
});

app.get('/me', (request, response) => {
  if (!request.session.user) return response.status(401).json({ error: 'not signed in' });
  response.json(request.session.user);
});

app.get('/refresh', async (request, response) => {
  const tokens = await oidc.refreshTokenGrant(config, request.session.tokens.refresh_token);
  Object.assign(request.session.tokens, tokens);
  response.json({ refreshed: true, sub: tokens.claims().sub });
});

app.get('/logout', (request, response) => {
  const { id_token } = request.session.tokens;
  request.session.destroy(() => {
    const url = oidc.buildEndSessionUrl(config, {
      id_token_hint: id_token,
      post_logout_redirect_uri: home,
    });
    response.redirect(url.href);
  });
});

app.get('/', (_request, response) => response.send('signed out'));
app.listen(PORT, 'localhost');
