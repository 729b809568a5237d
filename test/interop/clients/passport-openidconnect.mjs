import express from 'express';
import session from 'express-session';
import passport from 'passport';
import OpenIDConnectStrategy from 'passport-openidconnect';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, SESSION_SECRET } = process.env;
const home = `http://localhost:${PORT}`;

// This library has no discovery: the endpoints are those of {issuer}/.well-known/openid-configuration.
const strategy = new OpenIDConnectStrategy(
  {
    issuer: ISSUER,
    authorizationURL: `${ISSUER}/authorize`,
    tokenURL: `${ISSUER}/token`,
    userInfoURL: `${ISSUER}/userinfo`,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    callbackURL: `${home}/callback`,
    scope: ['openid', 'email', 'profile', 'offline_access'],
    nonce: true,
    skipUserProfile: false,
  },
  (_issuer, profile, _idProfile, _context, idToken, _accessToken, refreshToken, _answer, done) =>
    done(null, { userinfo: profile._json, idToken, refreshToken }),
);
passport.use(strategy);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }));
app.use(passport.session());

app.get('/login', passport.authenticate('openidconnect'));
app.get('/callback', passport.authenticate('openidconnect', { successRedirect: '/me', failWithError: true }));

app.get('/me', (request, response) => {
  if (!request.user) return response.status(401).json({ error: 'not signed in' });
  response.json({ claims: decoded(request.user.idToken), userinfo: request.user.userinfo });
});

app.get('/refresh', (request, response, next) => {
  const { refreshToken } = request.user;
  strategy._oauth2.getOAuthAccessToken(
    refreshToken,
    { grant_type: 'refresh_token' },
    (error, _accessToken, successor, tokens) => {
      if (error) return next(error);
      request.user.refreshToken = successor;
      response.json({ refreshed: true, sub: decoded(tokens.id_token).sub });
    },
  );
});

app.get('/logout', (request, response, next) => {
  const { idToken } = request.user;
  request.logout((error) => {
    if (error) return next(error);
    const query = new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: home });
    response.redirect(`${ISSUER}/logout?${query}`);
  });
});

app.get('/', (_request, response) => response.send('signed out'));
app.listen(PORT, 'localhost');

const decoded = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
