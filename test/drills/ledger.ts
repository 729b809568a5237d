/** What may succeed once. */
export type OnceKind = 'code' | 'refresh' | 'magic link' | 'totp' | 'assertion';
/** What is in the trail, and who did it. */
export type Action =
  | 'user.created'
  | 'sign_in.succeeded'
  | 'grant.revoked'
  | 'session.ended'
  | 'magic_link.requested';

/** One family of tokens, as the client that got it knows it. */
export type Chain = {
  issuer: string;
  appId: string;
  userId: string;
  grantId: string;
  access: string;
  refresh: string;
  /** Every access token it was given. */
  given: string[];
  /** Every refresh token that it has used. */
  used: string[];
  /** A revocation was asked for: 'acknowledged' with 2xx, or nobody knows. */
  revoked: 'no' | 'unknown' | 'acknowledged';
  /** The last refresh got no answer, or one that does not say whether it was done. */
  isUnsure: boolean;
  /** A refresh got no answer in time, and what came later was too late for the grace. */
  isLost: boolean;
  /** It was refused although nothing had ended it. */
  refusal?: string;
};

export type Revocation = { token: string; issuer: string; appId: string; at: number };

/**
 * What the senders were told, to be compared with what holds in the end. It knows nothing of how the program works:
 * acknowledged means an answer of 2xx or 3xx that says so, unknown means that there was none.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly chains: Chain[] = [];
  readonly users: { userId: string; email: string }[] = [];
  readonly revocations: Revocation[] = [];
  /** Codes that were redeemed, with what is needed to try them again. */
  readonly redeemed: { chain: Chain; code: string; verifier: string }[] = [];
  readonly usedLinks: string[] = [];
  readonly links: { email: string; at: number }[] = [];
  readonly endedSessions: string[] = [];
  /** Whose session is about to be ended: what they get from here on may end with it. */
  readonly sessionsEnding = new Set<string>();
  readonly #once = new Map<string, Map<string, string>>();
  readonly #acknowledged = new Map<string, number>();
  readonly #unknown = new Map<string, number>();
  readonly #revokedAt = new Map<string, number>();

  violate(invariant: string, what: string): void {
    this.violations.push(`${invariant}: ${what}`);
  }

  /** It succeeded, with this outcome. A second success counts unless its outcome is the very same. */
  succeeded(kind: OnceKind, key: string, outcome: string): void {
    const id = `${kind} ${key}`;
    const outcomes = this.#once.get(id) ?? new Map<string, string>();
    this.#once.set(id, outcomes);
    outcomes.set(outcome, outcome);
    if (outcomes.size === 2) this.violate('I1', `a ${kind} succeeded twice`);
  }

  successesOf(kind: OnceKind): number {
    return [...this.#once.keys()].filter((id) => id.startsWith(`${kind} `)).length;
  }

  acknowledged(action: Action, whose: string): void {
    count(this.#acknowledged, `${action} ${whose}`);
  }

  /** What is in the trail from before. */
  began(action: string, whose: string, times: number): void {
    const key = `${action} ${whose}`;
    this.#acknowledged.set(key, (this.#acknowledged.get(key) ?? 0) + times);
  }

  /** It was asked for, and may have been done. */
  unknown(action: Action, whose: string): void {
    count(this.#unknown, `${action} ${whose}`);
  }

  /** Each action of each person: at least so often in the trail, and at most. */
  bounds(): { action: string; whose: string; least: number; most: number }[] {
    return [...new Set([...this.#acknowledged.keys(), ...this.#unknown.keys()])].map((key) => {
      const [action, whose] = key.split(' ') as [string, string];
      const least = this.#acknowledged.get(key) ?? 0;
      return { action, whose, least, most: least + (this.#unknown.get(key) ?? 0) };
    });
  }

  revoked(revocation: Revocation): void {
    this.revocations.push(revocation);
    this.#revokedAt.set(revocation.token, revocation.at);
  }

  /** Somebody was told that a token is valid, having asked at `askedAt`. */
  sawActive(token: string, askedAt: number, how: string): void {
    const at = this.#revokedAt.get(token);
    if (at !== undefined && askedAt > at)
      this.violate(
        'I2',
        `${how} took a token ${Math.round(askedAt - at)} ms after its revocation was acknowledged`,
      );
  }
}

const count = (counts: Map<string, number>, key: string): void =>
  void counts.set(key, (counts.get(key) ?? 0) + 1);
