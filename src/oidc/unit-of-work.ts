import { AsyncLocalStorage } from 'node:async_hooks';
import type { AuditEvent } from '../events/event.ts';
import { type Database, type Queryable, type Transaction, writingTogether } from '../storage/database.ts';

/** An OAuth error that the end of a request decided on: something was spent by another request, or ended meanwhile. */
export type Refusal = { error: string; description: string };

/** Which client does something at a protocol endpoint, and from where. */
export type ProtocolAuthor = Pick<AuditEvent, 'actor' | 'clientId' | 'address' | 'userAgent' | 'requestId'>;

export type Write = (tx: Transaction) => Promise<Refusal | undefined | void>;

type HowToWrite = {
  /** Stays when the rest is forgotten, because something presented is used up whatever it led to. */
  lasting?: boolean;
  /** How many statements it asks, if that is known: one, which decides by itself, or none. What it asks beyond is for when it lost. */
  asks?: 'one' | 'nothing';
  /** It decides nothing: what follows need not wait for its answer. */
  isSure?: boolean;
  /** The same in one statement with those of others, where it is all that the request writes. false: nothing was written. */
  besideOthers?: (q: Queryable) => Promise<boolean>;
};
type Added = HowToWrite & { write: Write };

/**
 * What one request wants to change. The library computes its whole answer first; the durable writes then run in
 * order in one transaction before the answer is sent, so that no connection is held while a key signs. The guards
 * among them (a code spent, a token rotated, a session still alive) are compare-and-set statements: when one loses,
 * the writes behind it are left out, what came before is committed, and the answer becomes that refusal.
 */
export class UnitOfWork {
  readonly appId: string;
  /** The library's name for the endpoint that is being asked; undefined where none is, or it is not known yet. */
  readonly routeNow: () => string | undefined;
  /** Who asks, where that is known without the library. */
  author: ProtocolAuthor | undefined;
  /** What was read or written in this request, by kind and id. */
  readonly memo = new Map<string, unknown>();
  #writes: Added[] = [];

  constructor(appId: string, routeNow: () => string | undefined) {
    this.appId = appId;
    this.routeNow = routeNow;
  }

  add(write: Write, how: HowToWrite = {}): void {
    this.#writes.push({ write, ...how });
  }

  /** What would be written last, as of now: a write that joins another's statement must stand right behind it. */
  get last(): Write | undefined {
    return this.#writes.at(-1)?.write;
  }

  /** Forgets what the request was about to change: it grants nothing after all. */
  discard(): void {
    this.#writes = this.#writes.filter(({ lasting }) => lasting);
  }

  get isEmpty(): boolean {
    return this.#writes.length === 0;
  }

  /** Runs the writes in one transaction. The answer is what to tell the client instead, if a guard lost. */
  async commit(db: Database): Promise<Refusal | undefined> {
    if (this.isEmpty) return undefined;
    const writes = this.#writes.splice(0);
    if (await isWrittenBesideOthers(writes, writingTogether(db, this.appId))) return undefined;
    const last = writes.findLastIndex(({ asks }) => asks !== 'nothing');
    return db.transaction(this.appId, async (tx) => {
      let underWay: ReturnType<Write>[] = [];
      for (const [at, { write, asks, isSure }] of writes.entries()) {
        underWay.push(write(at === last && asks === 'one' ? concluding(tx) : tx));
        if (isSure && at !== last) continue;
        const refusal = (await Promise.all(underWay)).find(Boolean);
        if (refusal) return refusal;
        underWay = [];
      }
      return undefined;
    });
  }
}

async function isWrittenBesideOthers([first, ...more]: readonly Added[], q: Queryable): Promise<boolean> {
  if (!first?.besideOthers || more.some(({ asks }) => asks !== 'nothing')) return false;
  return first.besideOthers(q);
}

/** Its first statement is the last one that the transaction needs. */
function concluding(tx: Transaction): Transaction {
  let isFirst = true;
  return {
    ...tx,
    query: (statement) => {
      if (!isFirst) return tx.query(statement);
      isFirst = false;
      return tx.conclude(statement);
    },
  };
}

const current = new AsyncLocalStorage<UnitOfWork>();

/** The unit of the request being served. Adapters only ever run inside one. */
export function unitOfWork(): UnitOfWork {
  const unit = current.getStore();
  if (!unit) throw new Error('protocol state was touched outside a unit of work');
  return unit;
}

/** The endpoint of the request being served, by the library's name. */
export const routeNow = (): string | undefined => unitOfWork().routeNow();

export function inUnitOfWork<T>(unit: UnitOfWork, work: () => Promise<T>): Promise<T> {
  return current.run(unit, work);
}
