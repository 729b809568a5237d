import { ExpressAuth, getSession } from '@auth/express';
import express from 'express';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, SESSION_SECRET } = process.env;
const home = `http://localhost:${PORT}`;

const config = {
  secret: SESSION_SECRET,
  trustHost: true,
  providers: [
    {
      id: 'latchkey',
      name: 'Latchkey',
      type: 'oidc',
      issuer: ISSUER,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      authorization: { params: { scope: 'openid email profile offline_access' } },
      checks: ['pkce', 'state', 'nonce'],
      idToken: false, // ask the userinfo endpoint: ID tokens hold no e-mail address (OIDC Core §5.4)
      profile: (claims) => ({ id: claims.sub, name: claims.name, email: claims.email }),
    },
  ],
  callbacks: {
    // What the first sign-in brought, kept in Auth.js's own encrypted cookie.
    jwt({ token, account, profile }) {
      if (!account) return token;
      const { id_token, refresh_token } = account;
      return { ...token, idToken: id_token, refreshToken: refresh_token, userinfo: profile };
    },
    session: ({ session, token }) => ({ ...session, ...token }),
  },
};

const app = express();
app.set('trust proxy', true);
app.use('/auth', ExpressAuth(config));

// Auth.js's own page, where the person presses "Sign in with Latchkey".
app.get('/login', (_request, response) => response.redirect('/auth/signin?callbackUrl=/me'));

app.get('/me', async (request, response) => {
  const session = await getSession(request, config);
  if (!session) return response.status(401).json({ error: 'not signed in' });
  response.json({ claims: decoded(session.idToken), userinfo: session.userinfo });
});

// Auth.js leaves refreshing to the application (its "Refresh token rotation" guide).
app.get('/refresh', async (request, response) => {
  const session = await getSession(request, config);
  const { token_endpoint } = await metadata();
  const answer = await fetch(token_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: session.refreshToken }),
  });
  const tokens = await answer.json();
  response.status(answer.status).json({ refreshed: answer.ok, sub: decoded(tokens.id_token).sub });
});

// Sign out here first (Auth.js's own form), then at Latchkey.
app.get('/logout', async (request, response) => {
  const session = await getSession(request, config);
  const url = new URL((await metadata()).end_session_endpoint);
  url.searchParams.set('id_token_hint', session.idToken);
  url.searchParams.set('post_logout_redirect_uri', home);
  response.clearCookie('authjs.session-token').redirect(url.href);
});

app.get('/', (_request, response) => response.send('signed out'));
app.listen(PORT, 'localhost');

const metadata = async () => (await fetch(`${ISSUER}/.well-known/openid-configuration`)).json();
const decoded = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
