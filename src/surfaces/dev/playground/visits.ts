import { newSecret } from '../../../kernel/secret.ts';
import type { CallResult, Departure, Tokens } from './relying-party.ts';

/** What the playground remembers of one browser. */
export type Visit = {
  departure?: Departure | undefined;
  tokens?: Tokens | undefined;
  /** As userinfo last said. */
  email?: string | undefined;
  result?: CallResult | undefined;
  problem?: string | undefined;
};

const MOST = 100;

/** Visits by the value of the browser's cookie, in memory; the oldest go first. */
export class Visits {
  readonly #visits = new Map<string, Visit>();

  find(id: string | undefined): Visit | undefined {
    return id === undefined ? undefined : this.#visits.get(id);
  }

  begin(): { id: string; visit: Visit } {
    const id = newSecret();
    const visit: Visit = {};
    this.#visits.set(id, visit);
    if (this.#visits.size > MOST) this.#visits.delete(this.#visits.keys().next().value!);
    return { id, visit };
  }
}
