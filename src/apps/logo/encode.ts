import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { chunk, SIGNATURE } from './chunks.ts';
import { fitted, type Picture } from './picture.ts';

const deflated = promisify(deflate);

/** A page has 60 kB for everything; this much of it may be the logo. */
const MAX_BYTES = 17_000;
/** Pixels are drawn at a third of this, so that they are sharp on phones. The last size holds any noise in MAX_BYTES. */
const BOXES = [192, 160, 128, 96, 64] as const;
/** Wider than this it is a name, and may be as wide as the column has room. */
const WIDE = 1.6;

export type Logo = { png: Buffer; width: number; height: number };

/** A PNG of ours: eight bits, no texts, no profiles, as large as a page can bear. */
export async function encodeLogo(picture: Picture): Promise<Logo> {
  const isWide = picture.width / picture.height > WIDE;
  let logo: Logo | undefined;
  for (const side of BOXES) {
    const box = isWide ? { width: side * 2, height: side / 2 } : { width: side, height: side };
    const fit = fitted(picture, box);
    logo = { png: await encodePng(fit), width: fit.width, height: fit.height };
    if (logo.png.length <= MAX_BYTES) break;
  }
  return logo!;
}

async function encodePng({ width, height, rgba }: Picture): Promise<Buffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const tries = await Promise.all(
    [0, 1, 2].map((filter) => deflated(filtered(rgba, width * 4, filter), { level: 9 })),
  );
  const [pixels] = tries.toSorted((a, b) => a.length - b.length);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', pixels!),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Rows as they are (0), or as the difference from the pixel to the left (1) or above (2): PNG §9.2. */
function filtered(rgba: Buffer, row: number, filter: number): Buffer {
  const height = rgba.length / row;
  const out = Buffer.alloc(rgba.length + height);
  for (let y = 0; y < height; y += 1) {
    out[y * (row + 1)] = filter;
    for (let x = 0; x < row; x += 1) {
      const at = y * row + x;
      const left = x >= 4 ? rgba[at - 4]! : 0;
      const up = y > 0 ? rgba[at - row]! : 0;
      out[at + y + 1] = rgba[at]! - (filter === 1 ? left : filter === 2 ? up : 0);
    }
  }
  return out;
}
