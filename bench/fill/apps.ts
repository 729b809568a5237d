import { adminOf, makeApp, makeWorker } from '../targets.ts';
import type { AppWorker } from '../workloads.ts';

/** One alone waits for the disk most of the time. */
const AT_ONCE = 8;

/**
 * Adds apps up to so many, each with a client that asks for tokens, through the Admin API as any operator would. With
 * ES256: an RSA key each would take longer than everything else. Answers how many a second.
 */
export async function growApps(apps: AppWorker[], to: number, at: { port: number }): Promise<number> {
  const begun = performance.now();
  const first = apps.length;
  let next = first;
  const grow = async (): Promise<void> => {
    const admin = adminOf(at.port);
    while (next < to) {
      const number = next++;
      const appId = `many-${number}`;
      await makeApp(admin, appId);
      apps[number] = { ...(await makeWorker(admin, appId)), token: `/auth/${appId}/token` };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, grow));
  return ((apps.length - first) / (performance.now() - begun)) * 1000;
}
