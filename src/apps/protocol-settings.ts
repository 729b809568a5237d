import { z } from 'zod';

/** Settings of an app about the protocol: what its clients may use of the standards, and what all of them must use. */
export const appProtocolSettings = {
  /** What clients may use. Hardening that nobody is hurt by is on, every other door is shut until it is needed. */
  features: z
    .strictObject({
      /** Pushed authorization requests (RFC 9126). */
      pushed_authorization_requests: z.boolean().default(true),
    })
    .prefault({}),
  /** Whether every client has to push its authorization requests (RFC 9126 §6). */
  require_pushed_authorization_requests: z.boolean().default(false),
  /** How long a pushed request can be taken up. */
  par_ttl: z.int().min(5).max(60).default(60),
};

/** Settings of a client about the protocol. */
export const clientProtocolSettings = {
  /** Whether this client has to push its authorization requests (RFC 9126 §6). */
  require_pushed_authorization_requests: z.boolean().default(false),
};
