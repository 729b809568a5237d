import { hashMalformed, hashTooCostly } from '../errors.ts';
import { areSame, type Compare } from './family.ts';
import { stretched } from './stretching.ts';

const DIGITS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const MOST_ROUNDS_LOG2 = 16;

/** The portable hashes of phpass: `$P$` (WordPress before 6.8) and `$H$` (phpBB). */
export function readPhpass(text: string): Compare | undefined {
  if (!/^\$[PH]\$/.test(text)) return undefined;
  if (!/^\$[PH]\$[./A-Za-z0-9]{31}$/.test(text)) throw hashMalformed('phpass');
  const roundsLog2 = DIGITS.indexOf(text[3]!);
  if (roundsLog2 < 7) throw hashMalformed('phpass');
  if (roundsLog2 > MOST_ROUNDS_LOG2) throw hashTooCostly(`2^${MOST_ROUNDS_LOG2} rounds`);
  const [salt, expected] = [text.slice(4, 12), text.slice(12)];
  return async (password) => {
    const digest = await stretched({ salt, password, rounds: 2 ** roundsLog2 });
    return areSame(Buffer.from(inDigits(digest)), Buffer.from(expected));
  };
}

/** Three bytes as four digits, the lowest first. */
function inDigits(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = bytes.subarray(at, at + 3);
    let value = group.readUIntLE(0, group.length);
    for (let i = 0; i <= group.length; i += 1, value >>= 6) text += DIGITS[value & 63];
  }
  return text;
}
