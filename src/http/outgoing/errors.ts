/**
 * `invalid_url`: not an http(s) address, or with userinfo. `blocked`: an address, name, port or scheme that may not be
 * asked. `unresolvable`, `unreachable`, `untrusted` (its certificate): the other side. `timeout`, `too_large`,
 * `malformed`: its answer. `aborted`: the caller gave up.
 */
export type OutgoingReason =
  | 'invalid_url'
  | 'blocked'
  | 'unresolvable'
  | 'unreachable'
  | 'untrusted'
  | 'timeout'
  | 'too_large'
  | 'malformed'
  | 'aborted';

/** Why an outgoing request gave no answer. The message is safe to show: no address that was resolved, nothing of a body. */
export class OutgoingError extends Error {
  readonly reason: OutgoingReason;
  /** Host and port as asked for; undefined for what is no URL. */
  readonly host: string | undefined;

  constructor(reason: OutgoingReason, host?: string, options?: { cause: unknown }) {
    super(`the outgoing request failed: ${reason}`, options);
    this.name = 'OutgoingError';
    this.reason = reason;
    this.host = host;
  }
}
