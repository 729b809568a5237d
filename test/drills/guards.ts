/** A guard, how it is taken out of a copy of the program, and the drill that must fail without it. */
export type Guard = {
  name: string;
  edits: readonly (readonly [file: string, find: string, replace: string])[];
  drill: number;
  /** What the drill must say. */
  says: RegExp;
};

const database = 'src/storage/database.ts';
const redis = 'src/storage/redis.ts';

export const guards: readonly Guard[] = [
  {
    name: 'published documents are answered from memory',
    edits: [
      [
        'src/apps/registry.ts',
        'lastKnown: (appId) => orElse(snapshot(appId), () => snapshots.get(appId)?.snapshot),',
        'lastKnown: snapshot,',
      ],
    ],
    drill: 1,
    says: /jwks\.json was answered 503/,
  },
  {
    name: 'a 503 says when to come back',
    edits: [['src/oidc/failed-request.ts', "if (away) ctx.set('retry-after', '2');", '']],
    drill: 1,
    says: /I4: .*503 without Retry-After/,
  },
  {
    name: 'readiness asks the database',
    edits: [
      ['src/open-stores.ts', 'checkDatabase: () => db.ping(),', 'checkDatabase: () => Promise.resolve(),'],
    ],
    drill: 1,
    says: /said within 5 s that they are not ready/,
  },
  {
    name: 'who guesses is counted while Redis is away',
    edits: [['src/http/rate-limit.ts', 'allowed: count <= allowedCount', 'allowed: count <= limit']],
    drill: 3,
    says: /guesses of the admin key/,
  },
  {
    name: 'a revocation leaves a tombstone in the cache',
    edits: [
      [
        'src/storage/artifact-cache.ts',
        '    async bury(appId, graves) {\n',
        '    async bury(appId, graves) {\n      if (graves) return;\n',
      ],
    ],
    drill: 3,
    says: /I2: (introspection took a token|a revoked)/,
  },
  {
    name: 'a denied access token is written down',
    edits: [
      [
        'src/oidc/adapters/access-token-adapter.ts',
        'await denyToken(tx, { appId, jti, ttlSeconds });',
        'void ttlSeconds;',
      ],
    ],
    drill: 10,
    says: /I3: a denied token is not on the list/,
  },
  {
    name: 'what was done is in the trail',
    edits: [
      [
        'src/events/audit.ts',
        'await appendEvent(tx,',
        "if (event.type !== 'grant.revoked') await appendEvent(tx,",
      ],
    ],
    drill: 10,
    says: /I7: grant\.revoked/,
  },
  {
    name: 'a request has a time',
    edits: [
      [
        'src/kernel/deadline.ts',
        'return deadline && deadline.until - performance.now();',
        'return void deadline;',
      ],
      [database, 'const QUERY_LIMIT_MS = 12_000;', 'const QUERY_LIMIT_MS = 60_000;'],
    ],
    drill: 7,
    says: /I4: .*took longer than/,
  },
  {
    name: 'requests under way are finished at a stop',
    edits: [['src/app.ts', 'await drain(server);', 'server.close();\n      server.closeAllConnections();']],
    drill: 9,
    says: /requests failed: .*lost/,
  },
  {
    name: 'a new key is published before it signs',
    edits: [['src/apps/keys/signing-key.ts', '2 * maxAgeSeconds + 5;', '0 * maxAgeSeconds;']],
    drill: 13,
    says: /tokens could not be verified/,
  },
  {
    name: 'a mail that could not be sent is tried again',
    edits: [
      ['src/delivery/worker.ts', 'job.attempts >= MAX_ATTEMPTS)', 'job.attempts >= MAX_ATTEMPTS - 11)'],
    ],
    drill: 14,
    says: /I3: \d+ mails that were asked for were never sent/,
  },
  {
    name: 'a logout token that was refused is tried again',
    edits: [
      [
        'src/oidc/backchannel-logout/deliver.ts',
        'if (job.attempt < MAX_TRIES)',
        'if (job.attempt < 0 * MAX_TRIES)',
      ],
    ],
    drill: 15,
    says: /ends were never told/,
  },
  {
    name: 'a code is redeemed once',
    edits: [
      [
        'src/users/grants/rotation.ts',
        "const once = spending({ appId: token.appId, kind: 'code', ...code });",
        "const once = part`insert into spent (app_id, kind, digest, expires_at) values (${token.appId}, 'code', ${code.digest}, now() + interval '1 hour') on conflict (app_id, kind, digest) do update set note = 'again' returning digest`;",
      ],
      [
        'src/users/grants/rotation.ts',
        'on conflict do nothing returning digest as code',
        "on conflict (app_id, kind, digest) do update set note = 'again' returning digest as code",
      ],
    ],
    drill: 18,
    says: /one code, \d+ at once/,
  },
  {
    name: 'the code of an authenticator app is taken once',
    edits: [
      [
        'src/users/totp/store.ts',
        'and last_step < ${at.step} returning 1',
        'and last_step <> ${at.step} + 1000 returning 1',
      ],
    ],
    drill: 18,
    says: /one code of an app, \d+ at once|a totp succeeded twice/,
  },
  {
    name: 'a database that only reads is away',
    edits: [[database, '25P03|25006|', '25P03|']],
    drill: 2,
    says: /I4: .*answered 500/,
  },
  {
    name: 'a Redis that answers nothing is given up',
    edits: [
      [redis, '  commandTimeout: 2000,\n', ''],
      [redis, '  socketTimeout: 3000,\n', ''],
    ],
    drill: 3,
    says: /I4: .*took longer than/,
  },
  {
    name: 'the connection to Redis comes back by itself',
    edits: [
      [redis, 'Math.min(50 * 2 ** Math.min(attempt, 5), 1000);', '(attempt > 0 ? null : 50) as number;'],
      [redis, 'void (isClosed || redis.connect().catch(() => {}))', 'void isClosed'],
    ],
    drill: 4,
    says: /I6: not as before/,
  },
  {
    name: 'a denied token is denied where Redis has forgotten it',
    edits: [
      [
        'src/users/grants/token-state.ts',
        'and not exists (select from denied_tokens d where d.app_id = g.app_id and d.jti = asked.jti)',
        'and asked.jti <> g.app_id',
      ],
    ],
    drill: 5,
    says: /a token that was revoked before the fault is active/,
  },
  {
    name: 'a request has a time, however slow each statement is',
    edits: [
      [
        'src/kernel/deadline.ts',
        'return deadline && deadline.until - performance.now();',
        'return void deadline;',
      ],
    ],
    drill: 6,
    says: /I4: .*took longer than/,
  },
  {
    name: 'no connection means not now',
    edits: [
      [
        database,
        "set DATABASE_POOLER', { cause: error });\n      throw unavailable('Postgres', error);",
        "set DATABASE_POOLER', { cause: error });\n      throw error;",
      ],
    ],
    drill: 8,
    says: /I4: .*answered 500/,
  },
  {
    name: 'the code of an authenticator app is told by the clock of the database',
    edits: [['src/sign-in/totp/challenge.ts', 'code, totp.now)', 'code, Date.now() / 1000)']],
    drill: 11,
    says: /an authenticator app was refused by a wrong clock/,
  },
  {
    name: 'a full disk means not now',
    edits: [[database, '(08|53|57|', '(08|57|']],
    drill: 12,
    says: /I4: .*answered 500/,
  },
  {
    name: 'a refresh that comes twice is given the same successor',
    edits: [
      [
        'src/oidc/adapters/refresh-token-adapter.ts',
        'if (!stored.in_grace || stored.successor_consumed) return undefined;',
        'if (stored) return undefined;',
      ],
    ],
    drill: 16,
    says: /I3: a live refresh token is refused/,
  },
];
