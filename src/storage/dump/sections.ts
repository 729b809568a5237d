import { type DumpEnd, type DumpHead, parseEnd, parseHead, parseTable } from './format.ts';

/** A table as it stands in the dump. `rows` must be read to its end before the next section is asked for. */
export type Section = { name: string; columns: string[]; rows: AsyncIterable<Buffer> };

const NEWLINE = 0x0a;
const TABLE_END = Buffer.from('\\.\n');
const TABLE_END_AFTER_ROWS = Buffer.from('\n\\.\n');

/** Reads a dump from its first line to its last without holding more than a piece of it. Throws where it is cut off. */
export class DumpReader {
  readonly #pieces: AsyncIterator<Buffer>;
  /** Read and not yet used; begins where a line begins. */
  #held: Buffer = Buffer.alloc(0);
  #end: DumpEnd | undefined;

  constructor(text: AsyncIterable<Buffer>) {
    this.#pieces = text[Symbol.asyncIterator]();
  }

  async head(): Promise<DumpHead> {
    return parseHead(await this.#line());
  }

  async *sections(): AsyncGenerator<Section> {
    for (;;) {
      const line = await this.#line();
      this.#end = parseEnd(line);
      if (this.#end) return;
      const table = parseTable(line);
      if (!table)
        throw new Error(`the backup is damaged at the line that begins with "${line.slice(0, 40)}"`);
      yield { ...table, rows: this.#rows() };
    }
  }

  /** After the last section. */
  end(): DumpEnd {
    if (!this.#end) throw new Error('the backup was not read to its end');
    return this.#end;
  }

  /** Whole rows at a time. No row is the two characters that end a table: COPY writes a backslash twice. */
  async *#rows(): AsyncGenerator<Buffer> {
    for (;;) {
      while (this.#held.length < TABLE_END.length) await this.#more();
      if (this.#held.subarray(0, TABLE_END.length).equals(TABLE_END)) {
        this.#take(TABLE_END.length);
        return;
      }
      const end = this.#held.indexOf(TABLE_END_AFTER_ROWS);
      const whole = (end === -1 ? this.#held.lastIndexOf(NEWLINE) : end) + 1;
      if (whole > 0) yield this.#take(whole);
      else await this.#more();
    }
  }

  async #line(): Promise<string> {
    let end = this.#held.indexOf(NEWLINE);
    while (end === -1) {
      await this.#more();
      end = this.#held.indexOf(NEWLINE);
    }
    return this.#take(end + 1)
      .subarray(0, -1)
      .toString();
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#pieces.next();
    if (done) throw new Error('the backup is cut off: its last line is missing');
    this.#held = this.#held.length > 0 ? Buffer.concat([this.#held, value]) : value;
  }
}
