import type pg from 'pg';
import { holdBack, socketOf } from './held-back.ts';

/** A connection that was lent. `end` gives it back; with an error, to be thrown away. */
export type Loan = { client: pg.PoolClient; end(broken?: Error): void };

/** So many are under way at once on one connection; the next one takes another. One that takes long holds up no more than these. */
const MOST_UNDER_WAY = 8;

type Line = {
  client: Promise<pg.PoolClient>;
  underWay: number;
  /** Why nobody joins it any more and it is thrown away in the end. */
  broken: Error | undefined;
  isCorked: boolean;
};

/**
 * Lets statements that wait for nobody share a connection (decision 0050). What is asked in one turn of the event loop is sent in
 * one piece, and Postgres answers it one after another: waking one process once costs less than waking several.
 */
export class SharedConnection {
  readonly #connect: () => Promise<pg.PoolClient>;
  #line: Line | undefined;

  constructor(connect: () => Promise<pg.PoolClient>) {
    this.#connect = connect;
  }

  async borrow(): Promise<Loan> {
    const joined = this.#line;
    if (joined && joined.underWay < MOST_UNDER_WAY && !joined.broken) {
      const loan = await this.#enter(joined).catch(() => undefined);
      // Whoever opened it had less time, perhaps. This one has its own.
      if (loan) return loan;
    }
    return this.#enter(
      (this.#line = { client: this.#connect(), underWay: 0, broken: undefined, isCorked: false }),
    );
  }

  async #enter(line: Line): Promise<Loan> {
    line.underWay += 1;
    let client: pg.PoolClient;
    try {
      client = await line.client;
    } catch (error) {
      line.broken = error as Error;
      if (this.#line === line) this.#line = undefined;
      throw error;
    }
    sendTogether(line, client);
    return {
      client,
      end: (broken) => {
        line.underWay -= 1;
        line.broken ??= broken;
        if (this.#line === line && (line.broken || line.underWay === 0)) this.#line = undefined;
        if (line.underWay === 0) client.release(line.broken);
      },
    };
  }
}

/** Holds back what is written until this turn of the event loop is over. */
function sendTogether(line: Line, client: pg.PoolClient): void {
  if (line.isCorked) return;
  line.isCorked = true;
  holdBack(socketOf(client), (release) =>
    setImmediate(() => {
      line.isCorked = false;
      release();
    }),
  );
}
