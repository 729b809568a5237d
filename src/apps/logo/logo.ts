import { z } from 'zod';

/** Which picture an app's pages and mails show; its bytes are read when they are asked for. */
export const appLogoSchema = z.object({ digest: z.string(), width: z.int(), height: z.int() });
export type AppLogo = z.output<typeof appLogoSchema>;

/** Below the origin of the app's pages. Another picture has another address, so that this one may be kept for ever. */
export const logoPath = (appId: string, { digest }: AppLogo): string => `/auth/${appId}/logo/${digest}.png`;
