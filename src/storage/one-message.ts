import pg from 'pg';
import type { Beside, Pooler } from './scoped-query.ts';
import type { Statement } from './sql.ts';

/** The part of pg's connection that a query writes to. */
type Wire = {
  parse(at: { text: string; name: string; types: [] }): void;
  bind(at: { statement: string; values: string[] }): void;
  execute(at: object): void;
  describe(at: object): void;
  close(at: object): void;
  sync(): void;
  _send(bytes: Buffer): void;
  parsedStatements: object;
  submittedNamedStatements: object;
};
/** What pg's class has beside what its types say of it. */
type Inner = {
  text: string;
  name: string;
  values: unknown[];
  queryMode: string;
  callback: Done;
  _result: Shape;
  _accumulateRows: boolean;
  _canceledDueToError: Error | false;
  prepare(connection: Wire): void;
  handleRowDescription(message: object): void;
  handleDataRow(message: object): void;
  handleCommandComplete(message: object, connection: Wire): void;
};
/** How pg reads the rows of a result. */
type Field = { name: string; dataTypeID: number; format: string };
type Shape = { fields: Field[]; _parsers: unknown; _prebuiltEmptyResultObject: unknown };
type Done = (error: Error | null, result: pg.QueryResult) => void;

const inner = pg.Query.prototype as unknown as Inner;

/**
 * What the statements that a connection knows by name answer with. It stays as it is: where a table gets other columns, Postgres
 * refuses the statement (0A000), and its connection is thrown away.
 */
const shapes = new WeakMap<Wire, Map<string, Shape>>();

function shapesOf(connection: Wire): Map<string, Shape> {
  let known = shapes.get(connection);
  if (!known) {
    known = new Map();
    shapes.set(connection, known);
  }
  return known;
}

/** Mostly that is the same at every connection, and is kept once. */
const common = new Map<string, Shape>();

function shared(name: string, { fields, _parsers, _prebuiltEmptyResultObject }: Shape): Shape {
  const known = common.get(name);
  if (known && isSame(known.fields, fields)) return known;
  const shape = { fields, _parsers, _prebuiltEmptyResultObject };
  common.set(name, shape);
  return shape;
}

const isSame = (some: Field[], others: Field[]): boolean =>
  some.length === others.length &&
  some.every(
    ({ name, dataTypeID, format }, at) =>
      name === others[at]!.name && dataTypeID === others[at]!.dataTypeID && format === others[at]!.format,
  );

const { parse, bind, execute, describe, close, sync } = pg.Connection.prototype as unknown as Wire;

/** Collects what pg writes to a connection one by one, so that it is sent in one piece. */
class Collecting implements Wire {
  readonly parts: Buffer[] = [];
  readonly parsedStatements: object;
  readonly submittedNamedStatements: object;
  /** Whether what comes back is known already. */
  isKnown = false;
  readonly parse = parse;
  readonly bind = bind;
  readonly execute = execute;
  readonly close = close;
  /** Goes last of all. */
  behind: Beside | undefined;

  constructor({ parsedStatements, submittedNamedStatements }: Wire) {
    this.parsedStatements = parsedStatements;
    this.submittedNamedStatements = submittedNamedStatements;
  }

  describe(at: object): void {
    if (!this.isKnown) describe.call(this, at);
  }

  sync(): void {
    const { behind } = this;
    this.behind = undefined;
    if (behind) write(this, behind);
    sync.call(this);
  }

  _send(bytes: Buffer): void {
    this.parts.push(bytes);
  }
}

function write(wire: Wire, { name, text, values }: Beside): void {
  if (name === '') wire.parse({ text, name, types: [] });
  wire.bind({ statement: name, values });
  wire.execute({});
}

export type Sending = {
  ahead: readonly Beside[];
  behind?: Beside | undefined;
  /** How long to wait for the answer. undefined: as long as its pool waits. */
  timeoutMs: number | undefined;
  pooler: Pooler;
};

/** One message with a statement and all that goes ahead of it and behind; one answer. */
class ScopedQuery extends pg.Query {
  readonly #ahead: readonly Beside[];
  readonly #behind: Beside | undefined;
  #pending: number;
  #isAnswered = false;
  /** Where its shape is remembered, if that can be relied on: behind a pooler every connection to Postgres has plans of its own. */
  #shapes: Map<string, Shape> | undefined;
  readonly #remembers: boolean;
  /** Read by pg. */
  readonly query_timeout: number | undefined;

  constructor(statement: Statement, { ahead, behind, timeoutMs, pooler }: Sending, done: Done) {
    // An object would be copied, property by property.
    super(statement.text);
    const self = this as unknown as Inner;
    self.name = pooler === 'unprepared' ? '' : statement.name;
    self.values = statement.values;
    // Never as a simple query, ahead of which nothing goes.
    self.queryMode = 'extended';
    self.callback = done;
    this.#ahead = ahead;
    this.#behind = behind;
    this.#pending = ahead.length;
    this.#remembers = pooler === undefined && statement.name !== '';
    this.query_timeout = timeoutMs;
  }

  prepare(connection: Wire): void {
    const wire = new Collecting(connection);
    for (const one of this.#ahead) write(wire, one);
    if (this.#remembers) {
      this.#shapes = shapesOf(connection);
      const shape = this.#shapes.get((this as unknown as Inner).name);
      if (shape) this.#knowing(shape, wire);
    }
    wire.behind = this.#behind;
    inner.prepare.call(this as unknown as Inner, wire);
    connection._send(Buffer.concat(wire.parts));
  }

  /** Nobody has to be told again what its rows look like. */
  #knowing(shape: Shape, wire: Collecting): void {
    const self = this as unknown as Inner;
    Object.assign(self._result, shape);
    self._accumulateRows = true;
    this.#shapes = undefined;
    wire.isKnown = true;
  }

  handleDataRow(message: object): void {
    if (this.#pending === 0) inner.handleDataRow.call(this as unknown as Inner, message);
  }

  handleCommandComplete(message: object, connection: Wire): void {
    if (this.#pending > 0) {
      this.#pending -= 1;
      return;
    }
    const self = this as unknown as Inner;
    if (this.#isAnswered) {
      // Postgres answers the commit of a failed transaction with ROLLBACK, not with an error.
      if ((message as { text: string }).text !== 'COMMIT')
        self._canceledDueToError = new Error('the transaction was rolled back');
      return;
    }
    this.#isAnswered = true;
    this.#shapes?.set(self.name, shared(self.name, self._result));
    inner.handleCommandComplete.call(self, message, connection);
  }
}

/** Runs a statement on a connection that `prepareBesides` has prepared. */
export async function send(
  client: pg.ClientBase,
  statement: Statement,
  sending: Sending,
): Promise<pg.QueryResult> {
  try {
    return await new Promise((resolve, reject) => {
      client.query(
        new ScopedQuery(statement, sending, (error, result) => (error ? reject(error) : resolve(result))),
      );
    });
  } catch (error) {
    // Its own leads to the socket, and not to whoever asked.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  }
}
