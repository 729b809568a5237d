import { createHmac } from 'node:crypto';
import type { HookSecret } from '../../apps/token-hook/hook.ts';

/** Headers of Standard Webhooks: who receives them can tell who sent what, and when. One signature for each live secret. */
export function signatureHeaders(
  secrets: readonly HookSecret[],
  message: { id: string; timestamp: number; body: string },
): Record<string, string> {
  const { id, timestamp, body } = message;
  const signatures = secrets
    .filter(({ expiresAt }) => !expiresAt || expiresAt.getTime() > Date.now())
    .map(({ value }) => {
      const key = Buffer.from(value.replace(/^whsec_/, ''), 'base64');
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
    });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
