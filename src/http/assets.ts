import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import type { Context, Middleware, Next } from 'koa';
import { FONTS } from './fonts.ts';
import { answering, routesNamed } from './route-table.ts';

type Encoding = 'br' | 'gzip' | 'identity';
/** `bodies`: made when they are first asked for, because at the start they would take longer than all else. */
type Asset = { type: string; etag: string; bodies: Partial<Record<Encoding, () => Promise<Buffer>>> };

export type Assets = {
  /** `/assets/latchkey.<hash>.css` for `latchkey.css`; throws for a file that does not exist. */
  url(name: string): string;
  /** Answers GET and HEAD of those addresses; everything else falls through. */
  middleware: Middleware;
};

export const assetRoutes = routesNamed(['GET /assets/:file', 'GET /favicon.ico']);

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ico': 'image/x-icon',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
};
const COMPRESSIBLE: ReadonlySet<string> = new Set(['.css', '.js', '.svg']);

function load(file: string, extension: string): { asset: Asset; hash: string } {
  const plain = readFileSync(file);
  const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 12);
  const bodies: Asset['bodies'] = { identity: () => Promise.resolve(plain) };
  if (COMPRESSIBLE.has(extension)) {
    bodies.br = once(() => promisify(brotliCompress)(plain));
    bodies.gzip = once(() => promisify(gzip)(plain, { level: 9 }));
  }
  return { hash, asset: { bodies, etag: hash, type: TYPES[extension] ?? 'application/octet-stream' } };
}

function once(make: () => Promise<Buffer>): () => Promise<Buffer> {
  let made: Promise<Buffer> | undefined;
  return () => (made ??= make());
}

async function answer(ctx: Context, asset: Asset): Promise<void> {
  const encodings = (['br', 'gzip'] as const).filter((encoding) => asset.bodies[encoding] !== undefined);
  const chosen = (ctx.acceptsEncodings(...encodings, 'identity') || 'identity') as Encoding;
  const body = asset.bodies[chosen] ?? asset.bodies.identity!;
  ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
  if (encodings.length > 0) ctx.vary('Accept-Encoding');
  // A strong validator names one representation (RFC 9110 §8.8.3.3), so the coding is part of it.
  ctx.etag = chosen === 'identity' ? asset.etag : `${asset.etag}-${chosen}`;
  ctx.type = asset.type;
  ctx.status = 200;
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  if (chosen !== 'identity') ctx.set('Content-Encoding', chosen);
  ctx.body = await body();
}

/** Reads a folder and the fonts once, at start; nothing is read from disk afterwards and no path of a request reaches the disk. */
export function createAssets(directory: string): Assets {
  const byPath = new Map<string, Asset>();
  const urls = new Map<string, string>();
  const own = readdirSync(directory).map((name) => ({ name, file: join(directory, name) }));
  for (const { name, file } of [...own, ...FONTS]) {
    const extension = extname(name);
    if (TYPES[extension] === undefined) continue;
    const { asset, hash } = load(file, extension);
    const url = `/assets/${name.slice(0, -extension.length)}.${hash}${extension}`;
    urls.set(name, url);
    byPath.set(url, asset);
  }
  // Browsers ask for this address whatever the page says; it alone is not immutable.
  const favicon = byPath.get(urls.get('favicon.ico') ?? '');

  return {
    url(name) {
      const url = urls.get(name);
      if (url === undefined) throw new Error(`no asset ${name} in ${directory}`);
      return url;
    },
    middleware: answering(async (ctx: Context, next: Next) => {
      const readable = ctx.method === 'GET' || ctx.method === 'HEAD';
      const asset = readable ? byPath.get(ctx.path) : undefined;
      if (asset !== undefined) return answer(ctx, asset);
      if (readable && favicon !== undefined && ctx.path === '/favicon.ico') {
        await answer(ctx, favicon);
        ctx.set('Cache-Control', 'public, max-age=86400');
        return;
      }
      return next();
    }, assetRoutes),
  };
}
