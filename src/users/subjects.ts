import type { Client } from '../apps/app.ts';
import { subjectOf } from '../apps/subjects/pairwise.ts';
import type { Queryable } from '../storage/database.ts';
import { userIdsAfter } from './store.ts';

const PAGE = 2000;

/**
 * The user whom a client calls so; for support, since it goes through the users of the app: a pairwise subject can not be
 * read backwards, and a list of them would be one more thing to leak.
 */
export async function userOfSubject(
  q: Queryable,
  at: { client: Client; salt: Buffer | undefined; subject: string },
): Promise<string | undefined> {
  const { client, salt, subject } = at;
  for (let after = ''; ; ) {
    const userIds = await userIdsAfter(q, client.appId, { after, most: PAGE });
    const found = userIds.find((userId) => subjectOf(salt, client, userId) === subject);
    if (found !== undefined || userIds.length < PAGE) return found;
    after = userIds.at(-1)!;
  }
}
