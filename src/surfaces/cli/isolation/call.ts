import { setTimeout as sleep } from 'node:timers/promises';
import { directly, type Sent, type Transport } from './transport.ts';

export type { Sent };

export type Answer = {
  status: number;
  headers: Headers;
  /** Absolute; undefined without a redirect. */
  location: string | undefined;
  text: string;
  /** undefined where the body is no JSON object. */
  json: Json | undefined;
};

/** An answer in JSON. What is listed is paged. */
export type Json = { [name: string]: unknown; items?: Json[]; next?: string | null };

export type Send = (request: Sent) => Promise<Answer>;

export type SendOptions = {
  /** Headers of every request, counted up: how a test behind a trusted proxy comes from many addresses. */
  from?: ((count: number) => Record<string, string>) | undefined;
  signal?: AbortSignal | undefined;
  /** How requests travel; without it: to the address in them. */
  transport?: Transport | undefined;
};

const PATIENCE = 4;
const LONGEST_WAIT_SECONDS = 65;

/**
 * Sends and follows nothing. An answer that only says "too often" proves nothing: it is waited out and asked again,
 * and is handed back when that did not help.
 */
export function sender({ from, signal, transport = directly }: SendOptions): Send {
  let count = 0;
  const once = async (request: Sent): Promise<Answer> => {
    count += 1;
    const { status, headers, text } = await transport(
      { ...request, headers: { ...from?.(count), ...request.headers } },
      AbortSignal.any([AbortSignal.timeout(20_000), ...(signal ? [signal] : [])]),
    );
    const location = headers.get('location');
    return {
      status,
      headers,
      location: location === null ? undefined : new URL(location, request.url).href,
      text,
      json: asJson(text),
    };
  };
  return async (request) => {
    let answer = await once(request);
    for (let tries = 1; answer.status === 429 && tries < PATIENCE; tries += 1) {
      const seconds = Number(answer.headers.get('retry-after') ?? 1);
      if (!(seconds <= LONGEST_WAIT_SECONDS)) break;
      await sleep(seconds * 1000 + 250, undefined, { signal });
      answer = await once(request);
    }
    return answer;
  };
}

/** Headers that make each request come from an address of its own, for a server that believes this machine about them. */
export const manyAddresses = (count: number): Record<string, string> => ({
  'x-forwarded-for': `10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`,
});

export const FORM = 'application/x-www-form-urlencoded';

export const basic = (clientId: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;

function asJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
