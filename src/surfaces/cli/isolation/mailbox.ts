import type { Stage } from './side.ts';

const MAIL_LIMIT_MS = 20_000;

/** The secret of the link of that form in a mail to the address; waits for it. */
export async function linkIn(
  mailbox: NonNullable<Stage['mailbox']>,
  address: string,
  pattern: string,
): Promise<string> {
  for (const deadline = Date.now() + MAIL_LIMIT_MS; Date.now() < deadline; ) {
    for (const text of await mailbox(address)) {
      const [, secret] = new RegExp(pattern).exec(text) ?? [];
      if (secret !== undefined) return secret;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the mail with ${pattern} never came`);
}
