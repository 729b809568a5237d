import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

// The pages of a single-page app; everything that speaks OpenID Connect runs in the browser.
const { ISSUER, CLIENT_ID, PORT } = process.env;
const library = readFileSync(
  new URL('../browser/oidc-client-ts.min.js', import.meta.resolve('oidc-client-ts')),
);

const page = `<!doctype html><meta charset="utf-8"><title>A single-page app</title><pre></pre>
<script src="/oidc-client-ts.js"></script>
<script>
  const users = new oidc.UserManager({
    authority: ${JSON.stringify(ISSUER)},
    client_id: ${JSON.stringify(CLIENT_ID)},
    redirect_uri: location.origin + '/callback',
    post_logout_redirect_uri: location.origin + '/',
    scope: 'openid email profile offline_access',
    loadUserInfo: true,
  });
  const show = (value) => { document.querySelector('pre').textContent = JSON.stringify(value); };
  const routes = {
    '/': () => show({ signed_out: true }),
    '/login': () => users.signinRedirect({ nonce: crypto.randomUUID() }),
    '/callback': async () => { await users.signinRedirectCallback(); location.replace('/me'); },
    '/me': async () => {
      const user = await users.getUser();
      if (!user) return show({ error: 'not signed in' });
      const claims = JSON.parse(atob(user.id_token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
      show({ claims, userinfo: user.profile });
    },
    '/refresh': async () => {
      const user = await users.signinSilent(); // with a refresh token this is a refresh, not an iframe
      show({ refreshed: true, sub: user.profile.sub });
    },
    '/logout': () => users.signoutRedirect(),
  };
  routes[location.pathname]().catch((error) => show({ error: error.message }));
</script>`;

createServer((request, response) => {
  if (request.url === '/oidc-client-ts.js')
    return response.writeHead(200, { 'content-type': 'text/javascript' }).end(library);
  response.writeHead(200, { 'content-type': 'text/html' }).end(page);
}).listen(PORT, 'localhost');
