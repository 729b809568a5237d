import { encode } from 'uqr';

/** Modules of white around it (ISO/IEC 18004 §9.1). */
const QUIET = 4;

/** A QR code as the side of its square and the path of its dark modules, one stroke for each run in a row. */
export function qrCode(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  const runs = data.flatMap((row, y) =>
    [
      ...row
        .map((dark) => (dark ? '1' : '0'))
        .join('')
        .matchAll(/1+/g),
    ].map(([run], i, all) => `M${all[i]!.index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`),
  );
  return { size: size + 2 * QUIET, path: runs.join('') };
}
