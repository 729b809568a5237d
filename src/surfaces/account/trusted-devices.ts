import { audit } from '../../events/audit.ts';
import { scoped } from '../../storage/database.ts';
import { forgetTrustedDevice, renameTrustedDevice } from '../../users/trusted-devices/store.ts';
import { goBack, type Visit } from './visit.ts';

/** One that is not there, or is somebody else's, stays as it is: the list shows what there is. */
export async function renameDevice(visit: Visit): Promise<void> {
  const { appId, deps, form, session } = visit;
  const name = (form.name ?? '').normalize('NFC').replace(/\p{C}/gu, '').trim().slice(0, 64);
  const at = { appId, userId: session.userId, deviceId: deviceIdOf(visit), name };
  const isDone = name !== '' && (await renameTrustedDevice(scoped(deps.db, appId), at));
  goBack(visit, 'factors', isDone ? 'trusted' : undefined);
}

export async function forgetDevice(visit: Visit): Promise<void> {
  const { appId, by, deps, session } = visit;
  const { userId, sessionId } = session;
  await deps.db.transaction(appId, async (tx) => {
    const deviceId = deviceIdOf(visit);
    if (!(await forgetTrustedDevice(tx, { appId, userId, deviceId }))) return;
    const type = 'trusted_device.forgotten';
    const details = { device_id: deviceId };
    await audit(tx, { ...by, appId, type, userId, sessionId, result: 'success', details });
  });
  goBack(visit, 'factors', 'trusted');
}

function deviceIdOf({ ctx }: Visit): string {
  const { device_id: deviceId = '' } = ctx.params as Record<string, string>;
  return deviceId;
}
