import { crc32 } from 'node:zlib';
import { logoInvalid } from './errors.ts';

/** PNG (Third Edition) §5: a signature, then chunks of length, type, data and checksum. */
export const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export type Chunk = { type: string; data: Buffer };

/** A screenful of pictures has a few dozen; a file of empty chunks would have a million. */
const MAX_CHUNKS = 2000;

/** Every chunk up to IEND, checked. What comes after it is refused: it is no part of the picture. */
export function chunksOf(file: Buffer): Chunk[] {
  requirePng(file);
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE.length; ; ) {
    if (at + 12 > file.length) throw logoInvalid('the file ends early');
    const length = file.readUInt32BE(at);
    const end = at + 12 + length;
    if (end > file.length) throw logoInvalid('the file ends early');
    const typed = file.subarray(at + 4, at + 8 + length);
    if (crc32(typed) !== file.readUInt32BE(end - 4)) throw logoInvalid('a checksum is wrong');
    const type = typed.toString('latin1', 0, 4);
    if (!/^[A-Za-z]{4}$/.test(type)) throw logoInvalid('a chunk has no name');
    chunks.push({ type, data: typed.subarray(4) });
    if (chunks.length > MAX_CHUNKS) throw logoInvalid('it has too many parts');
    at = end;
    if (type !== 'IEND') continue;
    if (length !== 0 || at !== file.length) throw logoInvalid('there is something after its end');
    return chunks;
  }
}

/** Told apart by its first bytes, whatever the request calls it. */
function requirePng(file: Buffer): void {
  if (file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return;
  const head = file.toString('latin1', 0, 12);
  if (head.startsWith('\xff\xd8\xff')) throw logoInvalid('it is a JPEG; please save it as PNG');
  if (head.startsWith('RIFF') && head.endsWith('WEBP'))
    throw logoInvalid('it is a WebP; please save it as PNG');
  if (head.startsWith('GIF8')) throw logoInvalid('it is a GIF; please save it as PNG');
  if (/^\s*</.test(head)) throw logoInvalid('SVG is not accepted; please save it as PNG');
  throw logoInvalid('it is no PNG');
}

export function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(typed.length + 8);
  framed.writeUInt32BE(data.length, 0);
  typed.copy(framed, 4);
  framed.writeUInt32BE(crc32(typed), framed.length - 4);
  return framed;
}
