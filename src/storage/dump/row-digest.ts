import { createHash } from 'node:crypto';

export type TableDigest = { rows: number; digest: string };

const NEWLINE = 0x0a;

/**
 * Counts the rows of a table in COPY's text form, one per line, and adds up their SHA-256 hashes: equal for equal rows in
 * whatever order they come.
 */
export class RowDigest {
  readonly #sum = new Uint32Array(8);
  #rows = 0;
  #rest: Buffer = Buffer.alloc(0);

  /** Any piece of the text; it may end within a row. */
  add(piece: Buffer): void {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, from)) {
      const row = piece.subarray(from, end);
      this.#addRow(this.#rest.length > 0 ? Buffer.concat([this.#rest, row]) : row);
      this.#rest = Buffer.alloc(0);
      from = end + 1;
    }
    if (from < piece.length) this.#rest = Buffer.concat([this.#rest, piece.subarray(from)]);
  }

  get rows(): number {
    return this.#rows;
  }

  /** After the last piece. */
  result(): TableDigest {
    if (this.#rest.length > 0) throw new Error('the last row is cut off');
    return { rows: this.#rows, digest: Buffer.from(this.#sum.buffer).toString('hex') };
  }

  #addRow(row: Buffer): void {
    const hash = createHash('sha256').update(row).digest();
    for (let lane = 0; lane < 8; lane += 1) this.#sum[lane]! += hash.readUInt32LE(lane * 4);
    this.#rows += 1;
  }
}
