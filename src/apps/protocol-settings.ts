import { z } from 'zod';

/** Settings of an app about the protocol: what its clients may use of the standards, and what all of them must use. */
export const appProtocolSettings = {
  /** `fapi2`: the FAPI 2.0 Security Profile (Final), at the app's own issuer alone. Needs clients and keys that fit. */
  security_profile: z.enum(['baseline', 'fapi2']).default('baseline'),
  /** What clients may use. Hardening that nobody is hurt by is on, every other door is shut until it is needed. */
  features: z
    .strictObject({
      /** Pushed authorization requests (RFC 9126). */
      pushed_authorization_requests: z.boolean().default(true),
      /** Tokens bound to a key of the client (RFC 9449). */
      dpop: z.boolean().default(true),
      /** Answers of the authorization endpoint in the body of a POST. */
      form_post: z.boolean().default(true),
      /** Signed requests, by value (RFC 9101). */
      request_objects: z.boolean().default(false),
      /** Signed answers of the authorization endpoint (JARM). */
      jwt_responses: z.boolean().default(false),
      /** Signed answers of the introspection endpoint (RFC 9701). */
      jwt_introspection: z.boolean().default(false),
      /** Claims asked for one by one (OIDC Core §5.5). */
      claims_parameter: z.boolean().default(false),
      /** Authorization requests by POST; they are answered with the same request by GET. */
      authorize_by_post: z.boolean().default(false),
      /** Device authorization (RFC 8628), for native clients that say so too. */
      device_authorization: z.boolean().default(false),
      /** Token exchange (RFC 8693), for clients whose setting `token_exchange` says what they may do. */
      token_exchange: z.boolean().default(false),
    })
    .prefault({}),
  /** Whether every client has to push its authorization requests (RFC 9126 §6). */
  require_pushed_authorization_requests: z.boolean().default(false),
  /** How long a device waits for its person. */
  device_code_ttl: z.int().min(1).max(1800).default(600),
  /** How long a pushed request can be taken up. */
  par_ttl: z.int().min(5).max(60).default(60),
  /** Whether every DPoP proof has to carry a nonce of ours (RFC 9449 §8): one made in advance is then worth nothing. */
  dpop_require_nonce: z.boolean().default(false),
};

/** Settings of a client about the protocol. */
export const clientProtocolSettings = {
  /**
   * Who a user is to this client (OpenID Connect Core §8): `public`, the user id, as to every other, or `pairwise`, a name
   * that only clients of the same sector know. A change gives every user another `sub` there.
   */
  subject_type: z.enum(['public', 'pairwise']).default('public'),
  /**
   * Where the redirect URIs of the sector are listed (OpenID Connect Registration §5), a JSON array, https; its host is
   * the sector. null: the host of the redirect URIs. Another host gives every user of a pairwise client another `sub`.
   */
  sector_identifier_uri: z.string().max(2048).nullable().default(null),
  /** Whether this native client signs in on one device and is confirmed on another (RFC 8628). */
  device_authorization: z.boolean().default(false),
  /** What this confidential client may do with tokens of users that were handed to it (RFC 8693). null: nothing. */
  token_exchange: z
    .strictObject({
      /** Get tokens that do not show who acts. */
      impersonate: z.boolean().default(false),
      /** Get tokens that name who acts (`act`). */
      delegate: z.boolean().default(false),
      /** For which targets: identifiers of the app's APIs, or the app itself. */
      audiences: z.array(z.string().min(1).max(500)).max(50).default([]),
    })
    .nullable()
    .default(null),
  /** Whether this client has to push its authorization requests (RFC 9126 §6). */
  require_pushed_authorization_requests: z.boolean().default(false),
  /** Whether this client gets tokens bound to its key only (RFC 9449 §5.2). */
  dpop_bound_access_tokens: z.boolean().default(false),
  /** Whether this client has to sign its authorization requests (RFC 9101 §10.5). */
  require_signed_request_object: z.boolean().default(false),
};
