import { deriveKey, digestOf, macOf, type RootKeys, seal, unseal } from '../../../kernel/secret.ts';
import { type Database, scoped } from '../../../storage/database.ts';
import { idempotencyInProgress, idempotencyMismatch, invalidValue } from '../errors.ts';
import { keepAnswer, keptAnswer, releaseKey, reserveKey } from './store.ts';

export type OnceDeps = { db: Database; rootKeys: RootKeys };
export type Answer = { status: number; body: unknown };

type Kept = { body: unknown; request: string };

const CONSOLE = 'console';
const KEPT_FOR_SECONDS = 86_400;

/**
 * Does `work` at most once for a caller's Idempotency-Key and answers later requests from memory, for a day.
 * A refusal is not kept: it changed nothing. Problems `idempotency.mismatch` and `idempotency.in_progress`.
 */
export async function once(
  deps: OnceDeps,
  at: { caller: string; idempotencyKey: string; request: readonly string[] },
  work: () => Promise<Answer>,
): Promise<Answer & { replayed: boolean }> {
  if (!/^[\x21-\x7e]{1,255}$/.test(at.idempotencyKey))
    throw invalidValue('Idempotency-Key', 'must be 1 to 255 printable characters');
  const q = scoped(deps.db, CONSOLE);
  const key = `${at.caller}:${digestOf(at.idempotencyKey)}`;
  // A keyed digest: a body may hold a password, which a plain one would let anyone guess.
  const [request, ...olderRequests] = deps.rootKeys.map((root) =>
    macOf(deriveKey(root, 'idempotency'), JSON.stringify(at.request)),
  ) as [string, ...string[]];
  const sealedAt = { appId: CONSOLE, table: 'idempotency_keys', row: key, column: 'response' };

  if (!(await reserveKey(q, { appId: CONSOLE, key, request, ttlSeconds: KEPT_FOR_SECONDS }))) {
    const kept = await keptAnswer(q, CONSOLE, key);
    const isKnown = kept !== undefined && [request, ...olderRequests].includes(kept.request);
    if (kept && !isKnown && kept.response === null) throw idempotencyMismatch();
    if (!kept || kept.status === null || kept.response === null) throw idempotencyInProgress();
    const opened = JSON.parse(unseal(deps.rootKeys, sealedAt, kept.response)) as Kept;
    // The key of the digest may have been retired since; what is sealed has been sealed anew.
    if (!isKnown && opened.request !== digestOf(JSON.stringify(at.request))) throw idempotencyMismatch();
    return { status: kept.status, body: opened.body, replayed: true };
  }
  let answer: Answer;
  try {
    answer = await work();
  } catch (error) {
    await releaseKey(q, { appId: CONSOLE, key, request });
    throw error;
  }
  const memory: Kept = { body: answer.body, request: digestOf(JSON.stringify(at.request)) };
  const response = seal(deps.rootKeys, sealedAt, JSON.stringify(memory));
  await keepAnswer(q, { appId: CONSOLE, key, request, status: answer.status, response });
  return { ...answer, replayed: false };
}
