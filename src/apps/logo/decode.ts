import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { type Chunk, chunksOf } from './chunks.ts';
import { logoInvalid } from './errors.ts';
import { type Header, headerOf } from './header.ts';
import type { Picture } from './picture.ts';

const inflated = promisify(inflate);

/** The picture of a PNG file; texts, profiles and everything else in it is left behind. Problem `logo.invalid`. */
export async function decodePng(file: Buffer): Promise<Picture> {
  const chunks = chunksOf(file);
  if (chunks[0]?.type !== 'IHDR') throw logoInvalid('its header is missing');
  const header = headerOf(chunks[0].data);
  // A critical chunk (upper case, PNG §5.4) that we do not know means a picture that we would misread.
  const isKnown = ({ type }: Chunk) => ['IHDR', 'PLTE', 'IDAT', 'IEND'].includes(type) || /^[a-z]/.test(type);
  if (!chunks.every(isKnown) || chunks.filter(({ type }) => type === 'IHDR').length > 1)
    throw logoInvalid('it holds parts that are unknown');
  const rows = unfiltered(header, await pixelsOf(header, chunks));
  return { width: header.width, height: header.height, rgba: toRgba(header, rows, chunks) };
}

const bytesPerRow = ({ width, channels, bitDepth }: Header): number =>
  Math.ceil((width * channels * bitDepth) / 8);

/** Exactly as many bytes as the header promises: a bomb stops there, and too few are no picture. */
async function pixelsOf(header: Header, chunks: readonly Chunk[]): Promise<Buffer> {
  const size = header.height * (1 + bytesPerRow(header));
  const first = chunks.findIndex(({ type }) => type === 'IDAT');
  const run = chunks.slice(first).findIndex(({ type }) => type !== 'IDAT');
  const parts = first < 0 ? [] : chunks.slice(first, first + run);
  if (parts.length !== chunks.filter(({ type }) => type === 'IDAT').length || parts.length === 0)
    throw logoInvalid('its pixels are missing or scattered');
  const pixels = await inflated(Buffer.concat(parts.map(({ data }) => data)), {
    maxOutputLength: size,
  }).catch(() => {
    throw logoInvalid('its pixels do not fit its size');
  });
  if (pixels.length !== size) throw logoInvalid('its pixels do not fit its size');
  return pixels;
}

/** PNG §9: each row begins with the way in which it was told from its neighbours. */
function unfiltered(header: Header, pixels: Buffer): Buffer {
  const row = bytesPerRow(header);
  const step = Math.max(1, (header.channels * header.bitDepth) / 8);
  const out = Buffer.alloc(row * header.height);
  for (let y = 0; y < header.height; y += 1) {
    const filter = pixels[y * (row + 1)]!;
    if (filter > 4) throw logoInvalid('a row is malformed');
    const from = y * (row + 1) + 1;
    const to = y * row;
    for (let x = 0; x < row; x += 1) {
      const left = x >= step ? out[to + x - step]! : 0;
      const up = y > 0 ? out[to - row + x]! : 0;
      const corner = x >= step && y > 0 ? out[to - row + x - step]! : 0;
      out[to + x] = pixels[from + x]! + predicted(filter, left, up, corner);
    }
  }
  return out;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [toLeft, toUp, toCorner] = [up - corner, left - corner, left + up - 2 * corner].map(Math.abs);
  if (toLeft! <= toUp! && toLeft! <= toCorner!) return left;
  return toUp! <= toCorner! ? up : corner;
}

/** The numbers as they are stored, each by itself, without the bits that fill up a row. */
function samplesIn(header: Header, rows: Buffer): Uint16Array {
  const { height, bitDepth, width, channels } = header;
  const perRow = width * channels;
  const row = bytesPerRow(header);
  const samples = new Uint16Array(perRow * height);
  for (let y = 0; y < height; y += 1)
    for (let n = 0; n < perRow; n += 1) samples[y * perRow + n] = sampleAt(rows, y * row, n, bitDepth);
  return samples;
}

function sampleAt(rows: Buffer, start: number, n: number, bitDepth: number): number {
  if (bitDepth === 8) return rows[start + n]!;
  if (bitDepth === 16) return (rows[start + n * 2]! << 8) | rows[start + n * 2 + 1]!;
  const bit = n * bitDepth;
  return (rows[start + (bit >> 3)]! >> (8 - bitDepth - (bit & 7))) & ((1 << bitDepth) - 1);
}

function toRgba(header: Header, rows: Buffer, chunks: readonly Chunk[]): Buffer {
  const samples = samplesIn(header, rows);
  const paint = painter(header, samples, chunks);
  const rgba = Buffer.alloc(header.width * header.height * 4);
  for (let from = 0, at = 0; at < rgba.length; from += header.channels, at += 4) paint(rgba, at, from);
  return rgba;
}

/** Writes one pixel at `at` that is stored at `from`. */
type Paint = (rgba: Buffer, at: number, from: number) => void;

/** How numbers become colours; tRNS (PNG §11.3.1) says which of them are not opaque. */
function painter({ colorType, bitDepth }: Header, samples: Uint16Array, chunks: readonly Chunk[]): Paint {
  const dataOf = (name: string): Buffer | undefined => chunks.find(({ type }) => type === name)?.data;
  const clear = dataOf('tRNS');
  if (colorType === 3) return fromPalette(samples, dataOf('PLTE'), clear);
  const most = 2 ** bitDepth - 1;
  const isColour = colorType === 2 || colorType === 6;
  const hasOpacity = colorType === 4 || colorType === 6;
  const colours = isColour ? 3 : 1;
  const key = clear?.length === colours * 2 ? samplesOfKey(clear) : undefined;
  const to8 = (from: number): number => Math.round((samples[from]! * 255) / most);
  return (rgba, at, from) => {
    rgba[at] = to8(from);
    rgba[at + 1] = to8(isColour ? from + 1 : from);
    rgba[at + 2] = to8(isColour ? from + 2 : from);
    const isClear = !hasOpacity && key !== undefined && key.every((value, i) => value === samples[from + i]);
    rgba[at + 3] = hasOpacity ? to8(from + colours) : isClear ? 0 : 255;
  };
}

const samplesOfKey = (clear: Buffer): number[] =>
  Array.from({ length: clear.length / 2 }, (_, i) => clear.readUInt16BE(i * 2));

function fromPalette(samples: Uint16Array, palette: Buffer | undefined, clear: Buffer | undefined): Paint {
  if (!palette || palette.length === 0 || palette.length % 3 !== 0 || palette.length > 768)
    throw logoInvalid('its palette is malformed');
  return (rgba, at, from) => {
    const index = samples[from]!;
    if (index * 3 >= palette.length) throw logoInvalid('it uses a colour that its palette lacks');
    palette.copy(rgba, at, index * 3, index * 3 + 3);
    rgba[at + 3] = clear?.[index] ?? 255;
  };
}
