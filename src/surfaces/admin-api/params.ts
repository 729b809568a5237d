import { z } from 'zod';
import type { IdPrefix } from '../../kernel/id.ts';

const id = (prefix: IdPrefix, description: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-f]{32}$`))
    .meta({ description });

export const appParams = z.strictObject({
  app_id: z
    .string()
    .regex(/^[a-z0-9_-]{3,48}$/)
    .meta({ description: 'The app.' }),
});
export const clientParams = z.strictObject({
  ...appParams.shape,
  client_id: z
    .string()
    .regex(/^(?:[a-z0-9_-]{3,64}|https?:\/\/[\x21-\x7e]{1,512})$/)
    .meta({
      description:
        'The client; the first one is called as its app, and one that is a document as its address, URL-encoded.',
    }),
});
export const subjectParams = z.strictObject({
  ...clientParams.shape,
  sub: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,255}$/)
    .meta({ description: '`sub` as this client was given it.' }),
});
export const secretParams = z.strictObject({ ...clientParams.shape, secret_id: id('sec', 'The secret.') });
export const apiParams = z.strictObject({ ...appParams.shape, api_id: id('api', 'The API.') });
export const registrationTokenParams = z.strictObject({
  ...appParams.shape,
  token_id: id('iat', 'The registration token.'),
});
export const userParams = z.strictObject({
  ...appParams.shape,
  user_id: id('usr', 'The user: `sub` in its tokens, but for pairwise clients.'),
});
export const sessionParams = z.strictObject({ ...userParams.shape, session_id: id('ses', 'The session.') });
export const passkeyParams = z.strictObject({ ...userParams.shape, passkey_id: id('psk', 'The passkey.') });
export const grantParams = z.strictObject({
  ...userParams.shape,
  grant_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{8,128}$/)
    .meta({ description: 'What a user allowed a client.' }),
});
