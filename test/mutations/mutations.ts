/** One filter between the apps taken out, in every layer that holds it. */
export type Mutation = {
  name: string;
  /** File, what is there exactly once, and what stands there instead. */
  edits: readonly (readonly [file: string, find: string, replace: string])[];
  /** Tables that row-level security is lifted from. */
  unguarded?: readonly string[];
  driver?: 'postgres' | 'redis';
  /** The part of the matrix that is run, to save time: where this is to be seen first. */
  routes: RegExp;
  /** One layer alone was taken out, and the other must hold. */
  survives?: boolean;
};

const users = 'src/users/store.ts';
const anyUser = [
  users,
  'where u.app_id = ${appId} and u.user_id = ${userId}`)',
  "where ${appId}::text <> '' and u.user_id = ${userId}`)",
] as const;
const tokens = 'src/oidc/adapters/access-token-adapter.ts';
const sessions = 'src/users/sessions/store.ts';
const grants = 'src/users/grants/store.ts';
const proofs = 'src/storage/ephemeral-postgres.ts';
const anyKey = [
  proofs,
  'from ephemeral where app_id = ${appId} and key = ${key} and expires_at > now()`',
  "from ephemeral where ${appId}::text <> '' and key = ${key} and expires_at > now()`",
] as const;
const anyClient = [
  'src/apps/store.ts',
  'from clients c where c.app_id = ${appId} and c.disabled_at is null`',
  "from clients c where ${appId}::text <> '' and c.disabled_at is null`",
] as const;

export const mutations: readonly Mutation[] = [
  {
    name: 'users are found by their id alone',
    edits: [anyUser],
    unguarded: ['users', 'identifiers'],
    routes: /^GET .*users\/:user_id$/,
  },
  {
    name: 'a client is found by its id alone',
    edits: [
      [
        'src/apps/clients/operator-store.ts',
        'where c.app_id = ${appId} and c.client_id = ${clientId}`',
        "where ${appId}::text <> '' and c.client_id = ${clientId}`",
      ],
    ],
    routes: /clients\/:client_id$/,
  },
  {
    name: 'a secret is revoked by its id alone',
    edits: [
      [
        'src/apps/clients/secrets/operator-store.ts',
        'where app_id = ${at.appId} and client_id = ${at.clientId} and secret_id = ${at.secretId} and revoked_at is null\n',
        "where ${at.appId + at.clientId}::text <> '' and secret_id = ${at.secretId} and revoked_at is null\n",
      ],
    ],
    routes: /secrets\/:secret_id$/,
  },
  {
    name: 'an API is found by its id alone',
    edits: [
      [
        'src/apps/apis/operator-store.ts',
        '    from apis where app_id = ${appId} and api_id = ${apiId}`',
        "    from apis where ${appId}::text <> '' and api_id = ${apiId}`",
      ],
    ],
    routes: /apis\/:api_id$/,
  },
  {
    name: 'an app knows the APIs of every app',
    edits: [
      [
        'src/apps/apis/store.ts',
        'from apis where app_id = ${appId}`',
        "from apis where ${appId}::text <> ''`",
      ],
    ],
    unguarded: ['apis'],
    routes: /^(GET|POST) \/(authorize|par)$/,
  },
  {
    name: 'an app knows the clients of every app',
    edits: [anyClient],
    unguarded: ['clients', 'client_secrets'],
    routes: /:app_id\/token$/,
  },
  {
    name: 'a session is ended by its id alone',
    edits: [
      [
        sessions,
        'where app_id = ${appId} and user_id = ${userId} and session_id = ${sessionId} and ended_at is null',
        "where ${appId + userId}::text <> '' and session_id = ${sessionId} and ended_at is null",
      ],
    ],
    unguarded: ['sessions'],
    routes: /sessions\/:session_id$/,
  },
  {
    name: 'a grant is revoked by its id alone',
    edits: [
      [
        grants,
        'where app_id = ${at.appId} and user_id = ${at.userId} and grant_id = ${at.grantId} and revoked_at is null',
        "where ${at.appId + at.userId}::text <> '' and grant_id = ${at.grantId} and revoked_at is null",
      ],
    ],
    unguarded: ['grants'],
    routes: /grants\/:grant_id$/,
  },
  {
    name: 'nobody asks whether a user is of the app before its sessions are listed',
    edits: [
      [
        'src/surfaces/admin-api/users/require-user.ts',
        'if (!(await userById(scoped(deps.db, appId), appId, params.user_id))) throw userNotFound();',
        '',
      ],
    ],
    routes: /^GET .*:user_id\/(sessions|grants)$/,
  },
  {
    name: 'users are listed whatever their app',
    edits: [
      [
        users,
        'from users where app_id = ${appId} and user_id < ',
        "from users where ${appId}::text <> '' and user_id < ",
      ],
    ],
    unguarded: ['users', 'identifiers'],
    routes: /^GET .*\/users$/,
  },
  {
    name: 'the trail is listed whatever its app',
    edits: [
      [
        'src/events/store.ts',
        'from audit_events where app_id = ${at.appId} and (',
        "from audit_events where ${at.appId}::text <> '' and (",
      ],
    ],
    unguarded: ['audit_events'],
    routes: /audit-events$/,
  },
  {
    name: 'an idempotency key does not know where it was used',
    edits: [
      [
        'src/surfaces/admin-api/admin-api.ts',
        'ctx.method, ctx.path, ctx.querystring',
        'ctx.method, ctx.querystring',
      ],
    ],
    routes: /^POST .*\/users$/,
  },
  {
    name: 'links are kept in Redis without their app',
    // Not also the counts of mails, which would end the mails themselves.
    edits: [
      [
        'src/storage/ephemeral-redis.ts',
        '`lk:${appId}:${key}`',
        "`lk:${key.startsWith('mailed:') ? '' : appId}:${key}`",
      ],
    ],
    driver: 'redis',
    routes: /sign-up\/:secret$/,
  },
  {
    name: 'links are kept in the database without their app',
    edits: [anyKey],
    unguarded: ['ephemeral'],
    routes: /sign-up\/:secret$/,
  },
  {
    name: 'an invitation opens at every app',
    edits: [
      anyUser,
      ['src/sign-in/invitation/token.ts', '({ appId, table:', "({ appId: appId && '', table:"],
    ],
    unguarded: ['users', 'identifiers'],
    routes: /invitation\/:secret$/,
  },
  {
    name: 'the shared issuer believes every access token that it signed',
    edits: [
      [tokens, "return payload['app_id'] === appId && isForUs(deps, payload) ?", 'return appId && isForUs ?'],
      [tokens, "!claims || !deps.snapshot.clients.has(String(claims['client_id']))", '!claims'],
    ],
    routes: /^POST \/introspect$/,
  },
  {
    name: 'an app publishes the keys of every app',
    edits: [
      [
        'src/apps/store.ts',
        'where app_id = ${appId} and compromised_at is null`',
        "where ${appId}::text <> '' and compromised_at is null`",
      ],
      ['src/apps/store.ts', 'sql`select key_id,', 'sql`select app_id, key_id,'],
      // Private halves open only as what they were sealed for, which holds the app as well.
      [
        'src/apps/registry.ts',
        "openKey(opening(deps), { appId, table: 'signing_keys' }, row)",
        "openKey(opening(deps), { appId: String(row['app_id']), table: 'signing_keys' }, row)",
      ],
    ],
    unguarded: ['signing_keys'],
    routes: /jwks/,
  },
  {
    name: 'a provider is kept for the issuer, not for the app',
    edits: [
      ['src/oidc/provider-cache.ts', 'build(`${issuer}:${appId}`', 'build(brokenBy(issuer, appId)'],
      [
        'src/oidc/provider-cache.ts',
        'if (cached && cached.revision === revision && isSameRing(cached.ring, ring))',
        'if (cached && (name === issuer || (cached.revision === revision && isSameRing(cached.ring, ring))))',
      ],
      [
        'src/oidc/provider-cache.ts',
        'type Cached = {',
        'const brokenBy = (issuer: string, appId: string) => ("isLoose" in globalThis ? issuer : `${issuer}:${appId}`);\n\ntype Cached = {',
      ],
    ],
    routes: /^(GET|POST) \/auth\/:app_id\/(authorize|token)$/,
  },
  {
    name: 'a session of one app is one of every app',
    edits: [
      anyUser,
      ['src/oidc/cookie-signer.ts', '`cookies:${appId}`', '`cookies:${appId && 0}`'],
      ['src/oidc/cookie-signer.ts', '.update(data)', ".update(data.replace(/^[^=]+=/, ''))"],
      [
        sessions,
        'where s.app_id = ${appId} and s.digest = asked.digest',
        "where ${appId}::text <> '' and s.digest = asked.digest",
      ],
    ],
    unguarded: ['sessions', 'users', 'identifiers'],
    routes: /^GET .*\/account$/,
  },
  {
    name: 'an unfinished sign-in goes on at every app',
    edits: [
      anyKey,
      ['src/oidc/cookie-signer.ts', '`cookies:${appId}`', '`cookies:${appId && 0}`'],
      anyClient,
    ],
    unguarded: ['ephemeral', 'clients', 'client_secrets'],
    routes: /interaction\/:uid(\/cancel)?$/,
  },
  {
    name: 'only the filter is taken out: row-level security holds',
    edits: [anyUser],
    routes: /^GET .*users\/:user_id$/,
    survives: true,
  },
  {
    name: 'only row-level security is taken out: the filter holds',
    edits: [],
    unguarded: ['users', 'identifiers', 'sessions', 'grants', 'ephemeral'],
    routes: /users\/:user_id|reset\/:secret$/,
    survives: true,
  },
];
