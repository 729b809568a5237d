import { SERVED_BY } from './balancer.ts';

/** One request and what came of it. */
export type Entry = {
  /** Whoever sent it. */
  by: string;
  /** Method and route, without what varies. */
  what: string;
  /** Milliseconds since the history began. */
  at: number;
  took: number;
  /** 0: no answer. */
  status: number;
  /** The port of the instance that answered. */
  servedBy: string;
  retryAfter: string | null;
  /** What a refusal said, shortened. */
  said: string;
  /** A refusal that the sender had no reason to expect. */
  isUnmet: boolean;
};

/** There was no answer: whether it was done is not known. */
export class Lost extends Error {}

const LEAK =
  /\bat .+\.(ts|js):\d+|node_modules|\b(select|insert into|update) .*\b(from|values|set)\b|ECONN|ENOENT|EPIPE|\b57P0\d\b|ioredis|pg_hba|latchkey_server|127\.0\.0\.1:\d+/;

/** Longer than any answer may take, so that a hang is seen as one. */
const PATIENCE_MS = 20_000;
export const LONGEST_MS = 10_000;

export class History {
  readonly entries: Entry[] = [];
  readonly leaks: string[] = [];
  readonly #begun = performance.now();

  now(): number {
    return performance.now() - this.#begun;
  }

  /** A moment of this history by `performance.now()`. */
  moment(at: number): number {
    return this.#begun + at;
  }

  /** A fetch whose requests and answers are recorded as those of one sender. */
  fetcherOf(by: string): typeof fetch & { last(): Entry | undefined } {
    let latest: Entry | undefined;
    const fetcher = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const url = new URL(input instanceof Request ? input.url : input);
      const entry = this.#begin(by, `${init?.method ?? 'GET'} ${routeOf(url.pathname, init?.body)}`);
      latest = entry;
      const begun = performance.now();
      try {
        const answer = await fetch(input, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
        const text = await answer.clone().text();
        entry.took = performance.now() - begun;
        this.#note(entry, answer, text);
        if (entry.status === 0) throw new Lost(entry.what);
        return answer;
      } catch (error) {
        entry.took = performance.now() - begun;
        if (error instanceof Lost) throw error;
        entry.said = String((error as Error).cause ?? error).slice(0, 200);
        throw new Lost(entry.what, { cause: error });
      }
    };
    return Object.assign(fetcher as typeof fetch, { last: () => latest });
  }

  #begin(by: string, what: string): Entry {
    const entry: Entry = {
      by,
      what,
      at: this.now(),
      took: Number.POSITIVE_INFINITY,
      status: 0,
      servedBy: '',
      retryAfter: null,
      said: '',
      isUnmet: false,
    };
    this.entries.push(entry);
    return entry;
  }

  #note(entry: Entry, answer: Response, text: string): void {
    entry.servedBy = answer.headers.get(SERVED_BY) ?? '';
    if (entry.servedBy === 'lost' || entry.servedBy === 'none') {
      entry.said = entry.servedBy;
      return;
    }
    entry.status = answer.status;
    entry.retryAfter = answer.headers.get('retry-after');
    if (answer.status < 400) return;
    entry.said = text.replaceAll(/<style[\s\S]*?<\/style>|<[^>]+>|\s+/g, ' ').slice(0, 300);
    const leak = LEAK.exec(text);
    if (leak) this.leaks.push(`${entry.what} ${entry.status}: ${leak[0].slice(0, 100)}`);
  }
}

export const isFailed = ({ status, isUnmet }: Entry): boolean =>
  status === 0 || status >= 500 || status === 429 || isUnmet;

/** Ids and secrets of an address become dots; a token request is named for its grant. */
function routeOf(path: string, body: unknown): string {
  const route = path
    .replace(/^\/auth\/[a-z0-9_-]+/, '')
    .replaceAll(/\/(usr_|ses_|cli_|app_)?[A-Za-z0-9_-]{20,}/g, '/…')
    .replace(/\/apps\/[a-z0-9-]+/, '/apps/…');
  const grant = body instanceof URLSearchParams ? body.get('grant_type') : null;
  return grant ? `${route} ${grant.replace('authorization_', '')}` : route || '/';
}

export type Figures = { requests: number; failed: number; p50: number; p99: number };

export function figuresOf(entries: readonly Entry[]): Figures {
  // Whoever was given no answer waited, too.
  const times = entries.map(({ took }) => took).toSorted((a, b) => a - b);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { requests: entries.length, failed: entries.filter(isFailed).length, p50: at(0.5), p99: at(0.99) };
}
