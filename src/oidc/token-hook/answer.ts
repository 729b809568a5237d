import { z } from 'zod';
import { claimName } from '../../apps/claims/names.ts';

/** All claims of one answer together, as JSON: tokens travel in headers. */
const MAX_CLAIMS_BYTES = 4096;
const MAX_DEPTH = 8;

/** Claims that an app may give: none of the protocol's, plain JSON, not too deep. */
const claims = z.custom<Record<string, unknown>>(
  (value) =>
    isObject(value) &&
    isPlain(value, MAX_DEPTH) &&
    Object.keys(value).every((name) => claimName.safeParse(name).success),
);

const answer = z.discriminatedUnion('allow', [
  z.strictObject({ allow: z.literal(true), access_token: claims.optional(), id_token: claims.optional() }),
  z.strictObject({ allow: z.literal(false), message: z.string().optional() }),
]);

export type HookAnswer =
  | { allow: true; accessToken: Record<string, unknown>; idToken: Record<string, unknown> }
  | { allow: false; message: string };

const DENIED = 'the app does not allow this';

/** The answer, if it is one: everything else is none, so that a mistake does not become a token. */
export function readAnswer(text: string): HookAnswer | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const result = answer.safeParse(json);
  if (!result.success) return undefined;
  if (!result.data.allow) return { allow: false, message: sayable(result.data.message) };
  const { access_token: accessToken = {}, id_token: idToken = {} } = result.data;
  if (Buffer.byteLength(JSON.stringify([accessToken, idToken])) > MAX_CLAIMS_BYTES) return undefined;
  return { allow: true, accessToken, idToken };
}

/** RFC 6749 §5.2: what an error_description may hold. */
const sayable = (message: string | undefined): string =>
  message !== undefined && /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(message) ? message : DENIED;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  return Object.entries(value).every(([name, inner]) => name !== '__proto__' && isPlain(inner, depth - 1));
}
