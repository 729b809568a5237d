import express from 'express';
import openid from 'express-openid-connect';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, SESSION_SECRET } = process.env;

const app = express();
app.use(
  openid.auth({
    issuerBaseURL: ISSUER,
    baseURL: `http://localhost:${PORT}`,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    secret: SESSION_SECRET,
    authRequired: false,
    idpLogout: true,
    authorizationParams: { response_type: 'code', scope: 'openid email profile offline_access' },
    routes: { login: '/login', logout: '/logout', callback: '/callback' },
  }),
);

app.get('/me', async (request, response) => {
  if (!request.oidc.isAuthenticated()) return response.status(401).json({ error: 'not signed in' });
  response.json({ claims: request.oidc.idTokenClaims, userinfo: await request.oidc.fetchUserInfo() });
});

app.get('/refresh', openid.requiresAuth(), async (request, response) => {
  await request.oidc.accessToken.refresh();
  response.json({ refreshed: true, sub: request.oidc.user.sub });
});

app.get('/', (request, response) => {
  if (request.oidc.isAuthenticated()) return response.redirect('/me');
  response.send('signed out');
});
app.listen(PORT, 'localhost');
