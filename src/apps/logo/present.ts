import { type AppLogo, logoPath } from './logo.ts';

/** As operators and pages see it. */
export const presentLogo = (appId: string, logo: AppLogo) => ({
  url: logoPath(appId, logo),
  width: logo.width,
  height: logo.height,
});
