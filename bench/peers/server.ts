// `oidc-provider` as somebody would run it alone: PORT, and REDIS_URL or nothing. Interactions are the library's own.
import { generateKeyPairSync } from 'node:crypto';
import { Redis } from 'ioredis';
import Provider, { type Configuration } from 'oidc-provider';
import { MapAdapter } from './map-adapter.ts';
import { redisAdapter } from './redis-adapter.ts';

const port = Number(process.env['PORT']);
const redisUrl = process.env['REDIS_URL'];
const SECRET = 'peer-secret-0123456789-0123456789';

const jwk = (type: 'ec' | 'rsa'): object => {
  const { privateKey } =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: type === 'ec' ? 'ES256' : 'RS256' };
};

const service = (name: string): object => ({
  client_id: name,
  client_secret: SECRET,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const resource = (alg: 'ES256' | 'RS256') => ({
  scope: 'orders:read',
  audience: 'urn:bench:orders',
  accessTokenTTL: 3600,
  accessTokenFormat: 'jwt' as const,
  jwt: { sign: { alg } },
});

const configuration = {
  adapter: redisUrl === undefined ? MapAdapter : redisAdapter(new Redis(redisUrl)),
  jwks: { keys: [jwk('ec'), jwk('rsa')] },
  clients: [
    {
      client_id: 'web',
      client_secret: SECRET,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://localhost:1/callback'],
      id_token_signed_response_alg: 'ES256',
    },
    service('worker-es256'),
    service('worker-rs256'),
  ],
  cookies: { keys: ['peer-cookie-key-0123456789'] },
  claims: { email: ['email', 'email_verified'] },
  scopes: ['openid', 'offline_access', 'email', 'orders:read'],
  findAccount: (_ctx: unknown, sub: string) => ({
    accountId: sub,
    claims: () => ({ sub, email: `${sub}@example.com`, email_verified: true }),
  }),
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx: unknown, client: { clientId: string }) =>
        client.clientId.startsWith('worker-') ? `urn:bench:${client.clientId.slice(7)}` : [],
      getResourceServerInfo: (_ctx: unknown, indicator: string) =>
        resource(indicator.endsWith('rs256') ? 'RS256' : 'ES256'),
    },
  },
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, ClientCredentials: 3600, Session: 86_400, Grant: 86_400, RefreshToken: 86_400 },
} as unknown as Configuration;

new Provider(`http://localhost:${port}`, configuration).listen(port, '127.0.0.1');
