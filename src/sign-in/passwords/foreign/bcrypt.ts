import { createHash, createHmac } from 'node:crypto';
import { hashMalformed, hashTooCostly } from '../errors.ts';
import type { Compare } from './family.ts';

const MOST_COST = 14;

/** What goes into bcrypt. Frameworks that hash first have no 72-byte limit; bcrypt itself looks at no byte after the 72nd. */
const VARIANTS: readonly (readonly [string, (password: string) => string])[] = [
  ['bcrypt_sha256$', (password) => createHash('sha256').update(password).digest('hex')],
  ['bcrypt$', (password) => password],
  // WordPress 6.8. PHP's trim() knows these six and no other white space.
  [
    '$wp',
    (password) =>
      createHmac('sha384', 'wp-sha384')
        .update(password.replace(/^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g, ''))
        .digest('base64'),
  ],
  ['', (password) => password],
];

/** `$2a$`, `$2b$`, `$2y$`; Django's `bcrypt$` and `bcrypt_sha256$`; WordPress's `$wp$2y$`. */
export function readBcrypt(text: string): Compare | undefined {
  const variant = VARIANTS.find(([prefix]) => text.startsWith(`${prefix}$2`));
  if (!variant) return undefined;
  const [prefix, prepare] = variant;
  const hash = text.slice(prefix.length);
  const cost = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash)?.[1];
  if (cost === undefined || Number(cost) < 4) throw hashMalformed('bcrypt');
  if (Number(cost) > MOST_COST) throw hashTooCostly(`a cost of ${MOST_COST}`);
  return async (password) => {
    const { verify } = await import('@node-rs/bcrypt');
    return verify(prepare(password), hash);
  };
}
