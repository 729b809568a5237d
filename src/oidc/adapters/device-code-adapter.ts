import type { Adapter, AdapterPayload } from 'oidc-provider';
import { errors, Provider } from 'oidc-provider';
import { clientAddress } from '../../http/client-address.ts';
import { Problem } from '../../kernel/problem.ts';
import { digestOf, seal, unseal } from '../../kernel/secret.ts';
import { scoped } from '../../storage/database.ts';
import { spend } from '../../storage/spent.ts';
import { codeState } from '../../users/grants/token-state.ts';
import { mayTryUserCode } from '../device/tries.ts';
import { claimUserCode, userCodeMac } from '../device/user-code.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { type AdapterDeps, epochSeconds, onThisClock } from './adapter-deps.ts';
import { rememberGrant } from './grant-adapter.ts';

/** Pages hold a code by its digest, since only the device has it. No device code has a colon. */
const ALIAS = 'device:';
/** Devices that ask once more after the end are told that it was the end (`expired_token`), for so long. */
const LINGER_SECONDS = 300;
/** Two redemptions closer together than this are one device's double request, not a theft. */
const INNOCENT_SECONDS = 2;
const MEMORY_SECONDS = 3600;
/** RFC 8628 §3.5: five seconds, and five more for each time that was not kept to; a second is left for clocks. */
const INTERVAL_SECONDS = 5;
const MOST_STEPS = 11;

type Stored = AdapterPayload & { sealedUserCode?: string };

/**
 * Device codes (RFC 8628) at the issuer they were given by. The store holds digests of both codes. Which confirmation
 * counts, and which redemption, is decided by an insert in the transaction that grants something.
 */
export function deviceCodeAdapter(deps: AdapterDeps): Adapter {
  const records = recordsOf(deps);
  return {
    async upsert(id, payload, ttlSeconds = 1) {
      if (!payload['accountId'] && !payload['error'])
        return begin(deps, records, { id, payload, ttlSeconds });
      // Only a person ends a code: whatever else went wrong on the way leaves it to be tried again.
      if (payload['error'] && payload['error'] !== 'access_denied') return undefined;
      decide(deps, records, { digest: digestIn(id), payload, ttlSeconds });
    },
    async find(id) {
      const forDevice = Provider.ctx?.oidc?.route === 'token';
      // What is at rest opens nothing: a digest counts where our own interaction brings it, a code where its device does.
      if (forDevice === id.startsWith(ALIAS)) return undefined;
      const stored = await records.read(digestIn(id));
      if (!stored) return undefined;
      if (!forDevice) return { ...stored, jti: id, userCode: records.userCodeOf(stored) };
      return polled(deps, { id, digest: digestIn(id), stored });
    },
    async findByUserCode(userCode) {
      const { ctx } = Provider;
      const session = ctx?.oidc?.session?.uid;
      if (ctx && !(await mayTryUserCode(deps.ephemeral, { address: clientAddress(ctx), session })))
        throw new errors.CustomOIDCProviderError('slow_down', 'too many codes were tried');
      const digest = await records.digestOfUserCode(userCode);
      const stored = digest && (await records.read(digest));
      return stored ? { ...stored, jti: ALIAS + digest, userCode } : undefined;
    },
    consume(id) {
      unitOfWork().add(async (tx) => {
        const digest = digestIn(id);
        const at = { appId: deps.appId, kind: 'device_code', digest, ttlSeconds: MEMORY_SECONDS } as const;
        const won = await spend(tx, at);
        return won ? undefined : { error: 'invalid_grant', description: 'grant request is invalid' };
      });
      return Promise.resolve();
    },
    destroy: (id) => records.remove(digestIn(id)),
    findByUid: () => Promise.resolve(undefined),
    revokeByGrantId: () => Promise.resolve(),
  };
}

const digestIn = (id: string): string => (id.startsWith(ALIAS) ? id.slice(ALIAS.length) : digestOf(id));

/** Where codes are: the issuer is in the key, so at the other issuer they do not exist. */
function recordsOf({ ephemeral, appId, issuer, rootKeys }: AdapterDeps) {
  const key = (digest: string): string => `device:${issuer}:${digest}`;
  const userCodeKey = (userCode: string): string => `user-code:${issuer}:${userCodeMac(rootKeys, userCode)}`;
  const sealedAt = { appId, table: 'ephemeral', row: 'device', column: 'user_code' };
  return {
    async read(digest: string): Promise<Stored | undefined> {
      const found = await ephemeral.get(appId, key(digest));
      if (!found) return undefined;
      const stored = JSON.parse(found.value) as Stored;
      const left = found.remainingSeconds - LINGER_SECONDS;
      return left > 0 ? onThisClock(stored, left) : { ...stored, exp: epochSeconds() };
    },
    async write(digest: string, stored: object, ttlSeconds: number): Promise<void> {
      const ttl = { ttlSeconds: ttlSeconds + LINGER_SECONDS };
      await ephemeral.put(appId, key(digest), JSON.stringify(stored), ttl);
    },
    async remove(digest: string): Promise<void> {
      await ephemeral.delete(appId, key(digest));
    },
    async nameByUserCode(userCode: string, digest: string, ttlSeconds: number): Promise<void> {
      await ephemeral.put(appId, userCodeKey(userCode), digest, { ttlSeconds });
    },
    digestOfUserCode: (userCode: string) => ephemeral.read(appId, userCodeKey(userCode)),
    seal: (userCode: string): string => seal(rootKeys, sealedAt, userCode),
    /** Empty once somebody has decided: nobody is shown the code again. */
    userCodeOf: ({ sealedUserCode }: Stored): string =>
      sealedUserCode === undefined ? '' : unseal(rootKeys, sealedAt, sealedUserCode),
  };
}

type Records = ReturnType<typeof recordsOf>;
type Write = { payload: AdapterPayload; ttlSeconds: number };

/** The device asked. Later writes that decide nothing change nothing: a code may be typed again until it is confirmed. */
async function begin(deps: AdapterDeps, records: Records, at: Write & { id: string }): Promise<void> {
  const { id, payload, ttlSeconds } = at;
  if (id.startsWith(ALIAS)) return;
  const { jti: _jti, exp: _exp, userCode, ...kept } = payload;
  const { ephemeral, appId, issuer, rootKeys } = deps;
  const mac = userCodeMac(rootKeys, userCode!);
  if (!(await claimUserCode(ephemeral, { mac, ttlSeconds, appId, issuer })))
    throw new Problem({
      code: 'store.unavailable',
      kind: 'unavailable',
      message: 'This code is taken. Please ask for another one.',
    });
  const digest = digestOf(id);
  await records.write(digest, { ...kept, sealedUserCode: records.seal(userCode!) }, ttlSeconds);
  await records.nameByUserCode(userCode!, digest, ttlSeconds);
}

/** A person decided. Of many who do the first one counts, and the device learns of it when that is durable. */
function decide(deps: AdapterDeps, records: Records, at: Write & { digest: string }): void {
  const { digest, ttlSeconds } = at;
  const { jti: _jti, exp: _exp, userCode: _userCode, inFlight: _inFlight, ...kept } = at.payload;
  unitOfWork().add(async (tx) => {
    const once = { appId: deps.appId, kind: 'device_confirmation', digest } as const;
    if (!(await spend(tx, { ...once, ttlSeconds: ttlSeconds + LINGER_SECONDS })))
      return { error: 'expired', description: 'the code was used' };
    tx.afterCommit(() => records.write(digest, kept, ttlSeconds));
    return undefined;
  });
}

/** The device asks for its tokens. */
async function polled(
  deps: AdapterDeps,
  at: { id: string; digest: string; stored: Stored },
): Promise<AdapterPayload | undefined> {
  const { id, digest, stored } = at;
  const payload = { ...stored, jti: id };
  const isItsClient = stored.clientId === Provider.ctx?.oidc?.client?.clientId;
  if (!stored['accountId'] && !stored['error']) {
    if (isItsClient) await requirePatience(deps, digest);
    return payload;
  }
  if (stored['error']) return payload;
  const grantId = String(stored.grantId);
  const where = { appId: deps.appId, kind: 'device_code', digest, grantId } as const;
  const state = await codeState(scoped(deps.db, deps.appId), where);
  if (state.spent_for !== null && Number(state.spent_for) < INNOCENT_SECONDS) return undefined;
  if (state.grant_payload && state.grant_remaining)
    rememberGrant(grantId, state.grant_payload, state.grant_remaining);
  if (state.spent_for === null) return payload;
  unitOfWork().memo.set('revocation-reason', 'code_reused');
  return { ...payload, consumed: epochSeconds() };
}

/** Throws `slow_down` for a device that did not wait. Each time makes the wait longer, within reason. */
async function requirePatience({ ephemeral, appId, issuer }: AdapterDeps, digest: string): Promise<void> {
  const [poll, steps] = [`device-poll:${issuer}:${digest}`, `device-slow:${issuer}:${digest}`];
  const slowed = Number((await ephemeral.read(appId, steps)) ?? 0);
  const ttlSeconds = INTERVAL_SECONDS * (1 + Math.min(slowed, MOST_STEPS)) - 1;
  if (await ephemeral.put(appId, poll, '1', { ttlSeconds, ifAbsent: true })) return;
  await ephemeral.increment(appId, steps, MEMORY_SECONDS);
  throw new errors.SlowDown();
}
