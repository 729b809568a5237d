import type { Context } from 'koa';
import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import { clientAddress, networkOf } from '../../http/client-address.ts';
import { hit, limited } from '../../http/rate-limit.ts';
import { requestId } from '../../http/request-id.ts';
import { digestOf, sameSecret } from '../../kernel/secret.ts';
import type { Database } from '../../storage/database.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import { notAuthenticated } from './errors.ts';
import type { Scope } from './operation.ts';

/** Who is at the door, and what they may do. */
export type Operator = { author: Author; may(scope: Scope): boolean };

/** Throws 401 (with WWW-Authenticate) or 429. */
export type Authenticate = (ctx: Context) => Promise<Operator>;

export type BreakGlassDeps = {
  db: Database;
  ephemeral: EphemeralStore;
  /** undefined: the door does not exist. */
  adminApiKey: string | undefined;
};

/** Operators are people of this app; what they do to the deployment is in its trail. */
const CONSOLE = 'console';
const FAILURES_PER_MINUTE = 20;
const USE_RECORDED_EVERY_SECONDS = 300;

/** The break-glass key. Its holder may do everything, and every door opened with it is in the trail. */
export function breakGlass(deps: BreakGlassDeps): Authenticate {
  const expected = deps.adminApiKey === undefined ? undefined : digestOf(deps.adminApiKey);
  return async (ctx) => {
    const presented = bearerOf(ctx);
    const author = authorOf(ctx);
    // Digests have one length, so the comparison takes one time, whatever was sent.
    if (presented !== undefined && expected !== undefined && sameSecret(digestOf(presented), expected)) {
      await recordUse(deps, author);
      return { author, may: () => true };
    }
    ctx.set(
      'WWW-Authenticate',
      presented === undefined ? 'Bearer realm="latchkey"' : 'Bearer realm="latchkey", error="invalid_token"',
    );
    if (presented !== undefined) await countFailure(deps, author);
    throw notAuthenticated();
  };
}

function bearerOf(ctx: Context): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(ctx.get('authorization'))?.[1];
}

function authorOf(ctx: Context): Author {
  return {
    actor: { type: 'break_glass' },
    address: clientAddress(ctx),
    userAgent: ctx.get('user-agent').slice(0, 512) || undefined,
    requestId: requestId(ctx),
  };
}

/** The key itself is beyond guessing; the limit keeps noise away, and never shuts out who has it. */
async function countFailure(deps: BreakGlassDeps, author: Author): Promise<void> {
  const network = networkOf(author.address ?? '');
  const limit = {
    appId: CONSOLE,
    key: `admin-key:${network}`,
    limit: FAILURES_PER_MINUTE,
    windowSeconds: 60,
  };
  const { allowed, retryAfterSeconds } = await hit(deps.ephemeral, limit);
  if (!allowed) throw limited(retryAfterSeconds);
  await deps.db.transaction(CONSOLE, (tx) =>
    audit(tx, { ...author, appId: CONSOLE, type: 'break_glass.refused', result: 'failure' }),
  );
}

/** Once in a while for each network; what is done with it is recorded one by one where it happens. */
async function recordUse(deps: BreakGlassDeps, author: Author): Promise<void> {
  const key = `admin-key-used:${networkOf(author.address ?? '')}`;
  // A store that is away must not lock the break-glass door.
  const first = await deps.ephemeral
    .put(CONSOLE, key, '1', { ttlSeconds: USE_RECORDED_EVERY_SECONDS, ifAbsent: true })
    .catch(() => true);
  if (!first) return;
  await deps.db.transaction(CONSOLE, (tx) =>
    audit(tx, { ...author, appId: CONSOLE, type: 'break_glass.used', result: 'success' }),
  );
}
