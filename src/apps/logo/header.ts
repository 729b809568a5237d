import { logoInvalid } from './errors.ts';

/** What IHDR says (PNG §11.2.1), as far as it is accepted. */
export type Header = {
  width: number;
  height: number;
  bitDepth: number;
  colorType: ColorType;
  /** Numbers per pixel as stored. */
  channels: number;
};

export const MAX_SIDE = 1024;
const MIN_SIDE = 16;

/** Numbers per pixel, and the depths that are allowed. */
const COLOR_TYPES = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
} as const;
export type ColorType = keyof typeof COLOR_TYPES;

/** Throws before a byte is inflated: how large the picture becomes follows from this alone. */
export function headerOf(data: Buffer): Header {
  if (data.length !== 13) throw logoInvalid('its header is malformed');
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
  const [bitDepth, color, compression, filter, interlace] = data.subarray(8);
  const kind = Object.hasOwn(COLOR_TYPES, color!) ? COLOR_TYPES[color as ColorType] : undefined;
  if (!kind || !(kind.depths as readonly number[]).includes(bitDepth!) || compression !== 0 || filter !== 0)
    throw logoInvalid('its header is malformed');
  if (interlace !== 0) throw logoInvalid('it is interlaced; please save it without');
  if (Math.min(width, height) < MIN_SIDE || Math.max(width, height) > MAX_SIDE)
    throw logoInvalid(`it is ${width} × ${height} pixels; each side must have ${MIN_SIDE} to ${MAX_SIDE}`);
  return { width, height, bitDepth: bitDepth!, colorType: color as ColorType, channels: kind.channels };
}
