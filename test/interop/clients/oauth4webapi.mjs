import express from 'express';
import session from 'express-session';
import * as oauth from 'oauth4webapi';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, SESSION_SECRET } = process.env;
const home = `http://localhost:${PORT}`;
const redirectUri = `${home}/callback`;
const options = { [oauth.allowInsecureRequests]: true }; // only because this runs on localhost without TLS
const issuer = new URL(ISSUER);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
const client = { client_id: CLIENT_ID };
const authentication = oauth.ClientSecretBasic(CLIENT_SECRET);

const app = express();
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }));

app.get('/login', async (request, response) => {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  Object.assign(request.session, { verifier, state, nonce });
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: CLIENT_ID,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid email profile offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  }).toString();
  response.redirect(url.href);
});

app.get('/callback', async (request, response) => {
  const { verifier, state, nonce } = request.session;
  const parameters = oauth.validateAuthResponse(server, client, new URL(request.originalUrl, home), state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    parameters,
    redirectUri,
    verifier,
    options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(server, answer, options);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const userinfo = await oauth.processUserInfoResponse(
    server,
    client,
    claims.sub,
    await oauth.userInfoRequest(server, client, tokens.access_token, options),
  );
  Object.assign(request.session, { tokens, user: { claims, userinfo } });
  response.redirect('/me');
});

app.get('/me', (request, response) => {
  if (!request.session.user) return response.status(401).json({ error: 'not signed in' });
  response.json(request.session.user);
});

app.get('/refresh', async (request, response) => {
  const { refresh_token: refreshToken } = request.session.tokens;
  const answer = await oauth.refreshTokenGrantRequest(server, client, authentication, refreshToken, options);
  const tokens = await oauth.processRefreshTokenResponse(server, client, answer);
  Object.assign(request.session.tokens, tokens);
  response.json({ refreshed: true, sub: oauth.getValidatedIdTokenClaims(tokens).sub });
});

app.get('/logout', (request, response) => {
  const url = new URL(server.end_session_endpoint);
  url.searchParams.set('id_token_hint', request.session.tokens.id_token);
  url.searchParams.set('post_logout_redirect_uri', home);
  request.session.destroy(() => response.redirect(url.href));
});

app.get('/', (_request, response) => response.send('signed out'));
app.listen(PORT, 'localhost');
