import { z } from 'zod';
import { time } from '../apps/wire.ts';

export const apiWire = z.object({
  api_id: z.string(),
  app_id: z.string(),
  identifier: z
    .string()
    .meta({ description: 'The audience of its tokens, and what clients send as resource.' }),
  name: z.string(),
  scopes: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      default: z.boolean().meta({ description: 'Given when a request names no scope.' }),
    }),
  ),
  access_token_ttl: z.int().nullable().meta({ description: 'Seconds; null: as the app.' }),
  server_clients: z
    .array(z.string())
    .meta({ description: 'Confidential clients that are this API: they introspect its tokens.' }),
  created_at: time,
  updated_at: time,
});

export const resourceMetadataWire = z.object({
  resource: z.string(),
  resource_name: z.string(),
  authorization_servers: z.array(z.string()),
  scopes_supported: z.array(z.string()),
  bearer_methods_supported: z.array(z.string()),
});
