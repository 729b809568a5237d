import type { Outgoing } from '../../../http/outgoing.ts';

/** A person waits for the answer. */
const TIMEOUT_MS = 2000;
const PREFIX_LENGTH = 5;

/**
 * Asks a range service as that of Have I Been Pwned is: it learns five of forty digits, which hundreds of passwords
 * share. `digest` is SHA-1 in upper-case hexadecimal. Throws when there is no answer that can be read.
 */
export async function isInRange(
  { outgoing, url }: { outgoing: Outgoing; url: string },
  digest: string,
): Promise<boolean> {
  const [prefix, suffix] = [digest.slice(0, PREFIX_LENGTH), digest.slice(PREFIX_LENGTH)];
  // With padding the length of the answer does not tell which range was asked for.
  const headers = { 'add-padding': 'true' };
  const answer = await outgoing(`${url}/range/${prefix}`, { headers, timeoutMs: TIMEOUT_MS });
  if (answer.status !== 200) throw new Error(`the range service answered ${answer.status}`);
  const lines = (await answer.text()).split(/\r?\n/);
  if (!/^[0-9A-F]{35}:\d+$/i.test(lines[0] ?? ''))
    throw new Error('the range service answered with something else');
  // Padding is made of digests that were counted zero times.
  return lines.some((line) => {
    const [tail, count] = line.split(':');
    return tail?.toUpperCase() === suffix && Number(count) > 0;
  });
}
