import { createHash } from 'node:crypto';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { writeAppLogo } from '../operator-store.ts';
import { decodePng } from './decode.ts';
import { encodeLogo } from './encode.ts';
import { logoNotFound } from './errors.ts';
import type { AppLogo } from './logo.ts';
import { removeLogo, writeLogo } from './operator-store.ts';

/** How large a picture may be sent. */
export const MAX_UPLOAD = 256 * 1024;

/** From now on pages and mails show it. What is kept is drawn anew from its pixels. Problem `logo.invalid`. */
export async function setLogo(deps: AppsDeps, change: AppChange & { file: Buffer }): Promise<AppLogo> {
  const { appId, file } = change;
  const { png, width, height } = await encodeLogo(await decodePng(file));
  const digest = createHash('sha256').update(png).digest('base64url');
  const logo = { digest, width, height };
  return changeApp(deps, change, async (tx) => {
    await writeLogo(tx, { appId, digest, png });
    await writeAppLogo(tx, appId, logo);
    return { result: logo, event: 'app.logo_set', details: { ...logo, bytes: png.length } };
  });
}

/** Problem `logo.not_found` where there is none. */
export function deleteLogo(deps: AppsDeps, change: AppChange): Promise<void> {
  const { appId } = change;
  return changeApp(deps, change, async (tx) => {
    if (!(await removeLogo(tx, appId))) throw logoNotFound();
    await writeAppLogo(tx, appId, null);
    return { result: undefined, event: 'app.logo_deleted' };
  });
}
