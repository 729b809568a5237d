import { type FileHandle, open } from 'node:fs/promises';

/** Longer than a line and shorter than anything worth another step. */
const BLOCK = 4096;
/** Fewer digits would refuse passwords nobody has ever lost. */
const LEAST_DIGITS = 10;

const LINE = new RegExp(`^[0-9A-Fa-f]{${LEAST_DIGITS},40}(?::\\d+)?$`);

/** Throws when the file can not be what it should be: whoever names one means it. */
export async function requireBreachedFile(path: string): Promise<void> {
  const file = await open(path).catch((cause: unknown) => {
    throw new Error(`BREACHED_PASSWORDS_FILE: ${path} can not be read`, { cause });
  });
  try {
    const [first] = await linesAt(file, 0);
    if (first === undefined || !LINE.test(first))
      throw new Error(`BREACHED_PASSWORDS_FILE: ${path} does not hold sorted SHA-1 digests, one a line`);
  } finally {
    await file.close();
  }
}

/**
 * Whether a line of the file is the digest (SHA-1, upper-case hexadecimal) or how it begins. The lines are sorted;
 * about thirty blocks of a file of any size are read, and none is kept. Opened each time, so it may be replaced.
 */
export async function isInFile(path: string, digest: string): Promise<boolean> {
  const file = await open(path);
  try {
    let low = 0;
    let high = (await file.stat()).size;
    // In [low, high) begins the last line that is not greater than the digest, if there is one.
    while (high - low > BLOCK) {
      const middle = Math.floor((low + high) / 2);
      const [line] = await linesAt(file, middle);
      if (line !== undefined && digitsOf(line) <= digest) low = middle;
      else high = middle;
    }
    return (await linesAt(file, low)).some((line) => {
      const digits = digitsOf(line);
      return digits.length >= LEAST_DIGITS && digest.startsWith(digits);
    });
  } finally {
    await file.close();
  }
}

const digitsOf = (line: string): string => line.split(':')[0]!.toUpperCase();

/** Whole lines that begin at this offset or soon after it. */
async function linesAt(file: FileHandle, offset: number): Promise<string[]> {
  // From the byte before: a line that begins exactly at the offset is whole.
  const from = Math.max(0, offset - 1);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(2 * BLOCK), 0, 2 * BLOCK, from);
  const lines = buffer.toString('latin1', 0, bytesRead).split(/\r?\n/);
  // The last one may go on behind what was read.
  return lines.slice(offset === 0 ? 0 : 1, bytesRead === 2 * BLOCK ? -1 : undefined);
}
