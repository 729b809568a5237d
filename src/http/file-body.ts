import type { Context } from 'koa';
import { malformed, tooLarge, wrongFile } from './refusals.ts';

/** The bytes of a file of one media type, by itself. Throws a Problem: too large, of another type, or cut off. */
export async function fileBody(ctx: Context, file: { type: string; maxBytes: number }): Promise<Buffer> {
  const coding = ctx.get('content-encoding');
  if (!ctx.request.is(file.type) || (coding && coding !== 'identity')) throw wrongFile(file.type);
  if (Number(ctx.get('content-length')) > file.maxBytes) refuseRest(ctx);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of ctx.req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > file.maxBytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw malformed('The request ended early.', cause);
  }
  if (size > file.maxBytes) refuseRest(ctx);
  return Buffer.concat(chunks);
}

/** What is still on its way is thrown away, so that the client reads the answer instead of a reset connection. */
function refuseRest(ctx: Context): never {
  ctx.set('Connection', 'close');
  ctx.req.resume();
  throw tooLarge();
}
