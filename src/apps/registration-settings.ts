import { z } from 'zod';
import { seconds } from '../kernel/duration.ts';

/** Settings of an app about clients that come by themselves. Off: an operator makes every client. */
export const registrationSettings = {
  /** Dynamic registration (RFC 7591) at the app's own issuer: by nobody, by holders of an initial access token, by anyone. */
  dynamic_registration: z.enum(['off', 'initial_access_token', 'open']).default('off'),
  /** Whether an https address may be a `client_id`, with the client's metadata as the document found there. */
  client_id_metadata_documents: z.boolean().default(false),
  /** What such clients may have. They are never first-party: people are always asked. */
  registered_clients: z
    .strictObject({
      /** At most so many at once; unused documents make room for new ones. */
      most: z.int().min(1).max(1000).default(100),
      /** New ones per hour from one network. */
      per_network_per_hour: z.int().min(1).max(1000).default(20),
      /** One that nobody has allowed anything for so many seconds is forgotten. */
      unused_ttl: z
        .int()
        .min(60)
        .max(400 * seconds.day)
        .default(7 * seconds.day),
      /** Scopes beyond the standard ones. */
      scopes: z.array(z.string().min(1).max(128)).max(100).default([]),
      /** Scopes of the app's APIs, by identifier. */
      api_scopes: z
        .record(z.string().min(1).max(500), z.array(z.string().min(1).max(128)).max(100))
        .default({}),
      /** Whether one may be a service account (`client_credentials`). Never a document. */
      client_credentials: z.boolean().default(false),
    })
    .prefault({}),
};
