import { lookingUp, scoped } from '../../storage/database.ts';
import type { Database } from '../../storage/database.ts';
import { isKnownDevice } from '../../users/devices/store.ts';
import { originOf, type Attempt, subjectOf } from './attempt.ts';
import { reserveTry } from './store.ts';

/** Stands for the user of an address that nobody has: no id looks like it, and it costs the same to ask for. */
const NOBODY = 'usr_nobody';

/** Whether the user, if there is one, has signed in with this browser before. The same statement for nobody. */
export async function isDeviceKnown(
  db: Database,
  at: { appId: string; userId: string | undefined; device: string | undefined },
): Promise<boolean> {
  return isKnownDevice(lookingUp(db, at.appId), at.appId, at.userId ?? NOBODY, at.device ?? '');
}

/** Counts an attempt as failed before its secret is looked at. A success takes it back (`completeSignIn`). */
export async function reserveAttempt(
  db: Database,
  at: { appId: string; identifier: string; userId: string | undefined; device: string | undefined },
): Promise<Attempt> {
  const { appId } = at;
  const subject = subjectOf(at.identifier);
  const origin = originOf(at.device, await isDeviceKnown(db, at));
  const letThrough = await reserveTry(scoped(db, appId), { appId, subject, origin });
  return { appId, subject, origin, letThrough };
}
