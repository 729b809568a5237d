import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { TokenHook } from '../../apps/token-hook/hook.ts';
import { audit } from '../../events/audit.ts';
import type { Outgoing } from '../../http/outgoing.ts';
import { OutgoingError } from '../../http/outgoing/errors.ts';
import { newId } from '../../kernel/id.ts';
import { protocolAuthor } from '../author.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { type HookAnswer, readAnswer } from './answer.ts';
import { type AskedAbout, grantNameOf, questionAbout } from './question.ts';
import { signatureHeaders } from './sign.ts';

const MAX_ANSWER_BYTES = 16 * 1024;

export type AskDeps = {
  outgoing: Outgoing;
  count: { tokenHook(result: 'allowed' | 'denied' | 'failed'): void };
};

type Failure = { reason: string; status?: number };
type Allowed = Extract<HookAnswer, { allow: true }>;

/**
 * Asks the app's hook whether these tokens may be issued, and what else they should say. Without a usable answer there
 * are no tokens: 503 `temporarily_unavailable`, or `access_denied` when it says no. Nothing is spent then: a code or
 * refresh token may be presented again. No connection to a store is held while the hook thinks.
 */
export async function askHook(
  deps: AskDeps,
  ctx: KoaContextWithOIDC,
  hook: TokenHook,
  about: AskedAbout,
): Promise<Allowed> {
  const answer = await answerOf(deps, hook, JSON.stringify(questionAbout(ctx, about)));
  if ('reason' in answer) {
    deps.count.tokenHook('failed');
    giveUp(ctx, about, { type: 'token_hook.failed', details: { ...answer } });
    ctx.set('retry-after', '2');
    throw Object.assign(
      new errors.CustomOIDCProviderError(
        'temporarily_unavailable',
        'the app could not be asked whether to issue tokens, please try again',
      ),
      { statusCode: 503, status: 503 },
    );
  }
  deps.count.tokenHook(answer.allow ? 'allowed' : 'denied');
  if (answer.allow) return answer;
  giveUp(ctx, about, { type: 'token_hook.denied', details: { message: answer.message } });
  throw new errors.AccessDenied(answer.message);
}

async function answerOf({ outgoing }: AskDeps, hook: TokenHook, body: string): Promise<HookAnswer | Failure> {
  const timestamp = Math.floor(Date.now() / 1000);
  try {
    const response = await outgoing(hook.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...signatureHeaders(hook.secrets, { id: newId('msg'), timestamp, body }),
      },
      body,
      timeoutMs: hook.timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
    });
    if (response.status !== 200) return { reason: 'status', status: response.status };
    return readAnswer(await response.text()) ?? { reason: 'malformed' };
  } catch (error) {
    if (error instanceof OutgoingError) return { reason: error.reason };
    throw error;
  }
}

/** What this request was about to change is forgotten; that it was refused is not. */
function giveUp(
  ctx: KoaContextWithOIDC,
  { user }: AskedAbout,
  event: { type: string; details: Record<string, unknown> },
): void {
  const unit = unitOfWork();
  const by = protocolAuthor();
  unit.discard();
  unit.add((tx) =>
    audit(tx, {
      appId: unit.appId,
      type: event.type,
      ...by,
      userId: user?.userId,
      result: 'failure',
      details: { ...event.details, grant_type: grantNameOf(ctx) },
    }),
  );
}
