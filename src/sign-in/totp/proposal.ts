import { seconds } from '../../kernel/duration.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import { type Database, type Queryable, scoped, type Transaction } from '../../storage/database.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import { isSpent, spend } from '../../storage/spent.ts';
import { newSeed, openSeed, sealSeed } from './one-time-code.ts';

/** A seed that was shown to somebody and is nothing until they have typed a code of it. */
export type Proposal = { id: string; seed: string };

type Deps = { ephemeral: EphemeralStore; rootKeys: RootKeys };
/** `where`: the interaction or the session it is shown in. */
type At = { appId: string; userId: string; where: string };
type Kept = { id: string; envelope: string };

const TTL_SECONDS = 30 * seconds.minute;

const keyOf = ({ userId, where }: At): string => `totp-setup:${digestOf(JSON.stringify([userId, where]))}`;

/** The same one when the page is loaded again: it may have been scanned already. A new one after that was made use of. */
export async function proposalFor(deps: Deps & { db: Database }, at: At): Promise<Proposal> {
  const { db, ephemeral, rootKeys } = deps;
  const before = await findProposal(deps, at);
  // One that should have been dropped, but the store was away.
  if (before && (await isProposalSpent(scoped(db, at.appId), at.appId, before))) await dropProposal(deps, at);
  const kept = JSON.stringify({
    id: newSecret(),
    envelope: sealSeed(rootKeys, at, newSeed()),
  } satisfies Kept);
  await ephemeral.put(at.appId, keyOf(at), kept, { ttlSeconds: TTL_SECONDS, ifAbsent: true });
  return (await findProposal(deps, at)) ?? open(deps, at, kept);
}

export async function findProposal(deps: Deps, at: At): Promise<Proposal | undefined> {
  const found = await deps.ephemeral.read(at.appId, keyOf(at));
  return found === undefined ? undefined : open(deps, at, found);
}

export async function dropProposal(deps: Deps, at: At): Promise<void> {
  await deps.ephemeral.delete(at.appId, keyOf(at));
}

/** Of two codes of one proposal that come at once a single one gets true. */
export function spendProposal(tx: Transaction, appId: string, { id }: Proposal): Promise<boolean> {
  return spend(tx, { appId, kind: 'totp_setup', digest: digestOf(id), ttlSeconds: seconds.hour });
}

const isProposalSpent = (q: Queryable, appId: string, { id }: Proposal): Promise<boolean> =>
  isSpent(q, appId, 'totp_setup', digestOf(id));

function open({ rootKeys }: Deps, at: At, value: string): Proposal {
  const { id, envelope } = JSON.parse(value) as Kept;
  return { id, seed: openSeed(rootKeys, at, envelope) };
}
