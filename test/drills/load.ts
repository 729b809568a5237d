import { randomInt } from 'node:crypto';
import {
  begin,
  byLink,
  byPassword,
  byTotp,
  type Careful,
  codeIn,
  introspect,
  type Person,
  redeem,
  refresh,
  revoke,
  type Scene,
  Sender,
  userinfo,
} from './flows.ts';
import { Lost } from './history.ts';
import type { Chain } from './ledger.ts';

export type People = { people: readonly Person[]; careful: readonly Careful[] };

const WORKERS = 20;

/** Twenty senders at once, each with people of its own, until the scene is over. */
export async function runLoad(scene: Scene, { people, careful }: People): Promise<void> {
  const share = <T>(all: readonly T[], i: number, of: number): T[] => all.filter((_, n) => n % of === i);
  await Promise.all(
    Array.from({ length: WORKERS }, (_, i) => {
      const sender = new Sender(scene, `sender ${i + 1}`);
      if (i < 8) return work(sender, () => passwordSignIn(sender, share(people, i, 8)));
      if (i < 11) return work(sender, () => linkSignIn(sender));
      if (i < 13) return work(sender, () => totpSignIn(sender, share(careful.slice(1), i - 11, 2)));
      return steady(sender, share(people, i - 13, 7));
    }),
  );
}

async function work(sender: Sender, flow: () => Promise<void>): Promise<void> {
  await sender.pause(0, 500);
  while (!sender.scene.isOver()) {
    await flow().catch((error: unknown) => blame(sender, error));
    await sender.pause();
  }
}

/** What got no answer is in the history. Anything else is a page that nobody could go on from. */
function blame(sender: Sender, error: unknown): void {
  if (error instanceof Lost) return;
  const said = error instanceof Error ? error.message : String(error);
  if (said.includes('redirect loop')) sender.scene.ledger.violate('I4', said);
  // A form that is not there, because what came was a refusal.
  else if (said.startsWith('no such form')) sender.unmet(said.slice(0, 120));
  else throw error;
}

async function passwordSignIn(sender: Sender, people: readonly Person[]): Promise<void> {
  const begun = await begin(sender, sender.scene.shop);
  if (!begun) return;
  await sender.pause();
  const code = codeIn(begun.page) ?? (await byPassword(sender, begun, people[randomInt(people.length)]!));
  const chain = code && (await redeem(sender, begun, code));
  if (chain) await useAndEnd(sender, chain);
}

async function linkSignIn(sender: Sender): Promise<void> {
  const signedIn = await byLink(sender);
  const chain = signedIn && (await redeem(sender, signedIn.begun, signedIn.code));
  if (chain) await useAndEnd(sender, chain);
}

async function totpSignIn(sender: Sender, careful: readonly Careful[]): Promise<void> {
  const signedIn = await byTotp(sender, careful[randomInt(careful.length)]!);
  const chain = signedIn && (await redeem(sender, signedIn.begun, signedIn.code));
  if (chain) await useAndEnd(sender, chain);
  else await sender.pause(1000, 2000);
}

async function useAndEnd(sender: Sender, chain: Chain): Promise<void> {
  for (let i = randomInt(1, 4); i > 0 && !sender.scene.isOver(); i -= 1) {
    await sender.pause();
    await useOnce(sender, chain);
  }
  if (!chain.isLost && chain.revoked === 'no' && randomInt(2) === 0) await revoke(sender, chain);
}

async function useOnce(sender: Sender, chain: Chain): Promise<void> {
  const what = randomInt(5);
  if (what < 2) await refresh(sender, chain);
  else if (what < 4) await introspect(sender, chain);
  else await userinfo(sender, chain);
}

/** One sign-in, then what a resource server and a client do all day. */
async function steady(sender: Sender, people: readonly Person[]): Promise<void> {
  await work(sender, async () => {
    const begun = await begin(sender, sender.scene.shop);
    const code = begun && (codeIn(begun.page) ?? (await byPassword(sender, begun, people[0]!)));
    const chain = code && (await redeem(sender, begun!, code));
    if (!chain) return;
    while (!sender.scene.isOver() && !chain.isLost && chain.revoked === 'no') {
      await sender.pause(100, 400);
      await useOnce(sender, chain).catch((error: unknown) => blame(sender, error));
    }
  });
}
