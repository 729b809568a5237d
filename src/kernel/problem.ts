/** How a refusal is answered; the HTTP status is looked up from it, a throw site can not choose one. */
export type ProblemKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'expired'
  | 'too_large'
  | 'unsupported_media_type'
  | 'limited'
  | 'busy'
  | 'unavailable';

export const statusOfKind = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  expired: 410,
  too_large: 413,
  unsupported_media_type: 415,
  limited: 429,
  // Nothing is broken: more is asked for than can be done.
  busy: 503,
  unavailable: 503,
} as const satisfies Record<ProblemKind, number>;

export type ProblemDetails = {
  /** Stable, `area.reason`, listed in docs/errors.md. */
  code: string;
  kind: ProblemKind;
  /** A sentence that is safe to show to anyone. */
  message: string;
  /** The request field at fault, if one is. */
  field?: string | undefined;
  /** For `limited`, `busy` and `unavailable`: seconds after which trying again makes sense. */
  retryAfterSeconds?: number | undefined;
  /** For the log only. */
  cause?: unknown;
};

/** An expected refusal. Anything else that is thrown is a bug or an outage. */
export class Problem extends Error {
  readonly code: string;
  readonly kind: ProblemKind;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(details: ProblemDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Problem';
    this.code = details.code;
    this.kind = details.kind;
    this.field = details.field;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  get status(): number {
    return statusOfKind[this.kind];
  }
}

/** Text that Postgres can not hold, and so none that it holds: a NUL in a name, an identifier or a document. */
export function unstorableText(cause: unknown): Problem {
  return new Problem({
    code: 'request.unstorable_text',
    kind: 'invalid',
    message: 'The request holds a character that can not be stored.',
    cause,
  });
}

/** A store is away or too slow: 503 with `Retry-After`. Nothing that was acknowledged is lost by it. */
export function unavailable(what: string, cause?: unknown): Problem {
  return new Problem({
    code: 'store.unavailable',
    kind: 'unavailable',
    message: 'The service is temporarily unavailable. Please try again in a moment.',
    retryAfterSeconds: 2,
    cause: new Error(`${what} is not reachable`, { cause }),
  });
}
