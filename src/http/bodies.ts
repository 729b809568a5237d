import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { stateOf } from './request-state.ts';
import { duplicateField, malformed, tooLarge, unsupportedMediaType } from './refusals.ts';

const LIMIT_BYTES = 1024 * 1024;
const MAX_FIELDS = 1000;
const MAX_DEPTH = 32;

/** The fields of an urlencoded form. Throws a Problem: too large, of another type, malformed, or a field given twice. */
export async function formBody(ctx: Context): Promise<Record<string, string>> {
  if (!ctx.request.is('application/x-www-form-urlencoded'))
    throw unsupportedMediaType('application/x-www-form-urlencoded');
  return fieldsOf(await rawBody(ctx));
}

/** The fields of urlencoded text; a name without prototype, so that `__proto__` is a field like any other. */
export function fieldsOf(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    // RFC 6749 §3.1: parameters must not be included more than once; which one counts would depend on the reader.
    if (name in fields) throw duplicateField(name);
    if (++count > MAX_FIELDS) throw malformed('The form has too many fields.');
    fields[name] = value;
  }
  return fields;
}

/** The parsed JSON body, not validated. Throws a Problem: too large, of another type, or malformed. */
export async function jsonBody(ctx: Context): Promise<unknown> {
  if (!ctx.request.is('application/json', 'application/*+json'))
    throw unsupportedMediaType('application/json');
  const text = await rawBody(ctx);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed('The body is not valid JSON.', cause);
  }
  refuseHostileShape(value);
  return value;
}

/** The body as text, at most 1 MB; read once, however often it is asked for. */
export function rawBody(ctx: Context): Promise<string> {
  const state = stateOf(ctx);
  state.body ??= receive(ctx);
  return state.body;
}

async function receive(ctx: Context): Promise<string> {
  const coding = ctx.get('content-encoding');
  const charset = ctx.request.charset;
  if ((coding && coding !== 'identity') || (charset && !/^utf-?8$/i.test(charset)))
    throw unsupportedMediaType(ctx.request.type || 'plain');
  if (Number(ctx.get('content-length')) > LIMIT_BYTES) return refuseRest(ctx);
  let bytes: Buffer | undefined;
  try {
    bytes = await bytesOf(ctx.req);
  } catch (cause) {
    throw malformed('The request ended early.', cause);
  }
  if (bytes === undefined) return refuseRest(ctx);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw malformed('The body is not UTF-8.', cause);
  }
}

/** Stateless as long as it is given whole texts. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** undefined: too many, and the rest has not been read. By events, which cost half of what iterating costs. */
function bytesOf(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    // Nothing more would be heard of a connection that is closed already.
    if (request.destroyed) return reject(request.errored ?? new Error('aborted'));
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (): void => {
      request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= LIMIT_BYTES) return;
      stop();
      resolve(undefined);
    };
    const onEnd = (): void => {
      stop();
      resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    };
    const onError = (error: Error): void => {
      stop();
      reject(error);
    };
    const onClose = (): void => onError(new Error('aborted'));
    request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

/** What is still on its way is thrown away, so that the client reads the answer instead of a reset connection. */
function refuseRest(ctx: Context): never {
  ctx.set('Connection', 'close');
  ctx.req.resume();
  throw tooLarge();
}

function refuseHostileShape(root: unknown): void {
  const open: [unknown, number][] = [[root, 0]];
  for (let item = open.pop(); item; item = open.pop()) {
    const [value, depth] = item;
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAX_DEPTH) throw malformed('The body is nested too deeply.');
    // JSON.parse makes it an own property; the first copy by assignment would make it the prototype.
    if (Object.hasOwn(value, '__proto__')) throw malformed('The body holds a forbidden name.');
    for (const inner of Object.values(value)) open.push([inner, depth + 1]);
  }
}
