/** Comments, strings, names and dollar quotes as a whole, the semicolon by itself, anything else bit by bit. */
const PIECES =
  /(?<comment>--[^\n]*|\/\*[^]*?\*\/)|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>\w*)\$[^]*?\$\k<tag>\$|(?<end>;)|[^;'"$/-]+|[^]/g;

/** The statements of a file one by one, without the comments between them. Not for `E'…'`, which our files do without. */
export function statementsOf(text: string): string[] {
  const statements: string[] = [];
  let statement = '';
  for (const { 0: piece, groups } of text.matchAll(PIECES)) {
    if (groups?.['end']) {
      statements.push(statement.trim());
      statement = '';
    } else if (!groups?.['comment']) statement += piece;
  }
  return [...statements, statement.trim()].filter((one) => one !== '');
}

/** An index that a statement makes, and not a unique one: that is a rule, and part of the migration. */
export type Index = { name: string; table: string; definition: string };

export function plainIndexOf(statement: string): Index | undefined {
  const found = /^create\s+index\s+(?:if\s+not\s+exists\s+)?(\w+)\s+(on\s+(\w+)[^]*)$/i.exec(statement);
  return found ? { name: found[1]!, table: found[3]!, definition: found[2]! } : undefined;
}

/** The name of the index that a statement builds while others read and write. */
export const concurrentIndexOf = (statement: string): string | undefined =>
  /^create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?(\w+)\s+on\b/i.exec(
    statement,
  )?.[1];

/** For people: its beginning, in one line. */
export function inOneLine(statement: string): string {
  const line = statement.replace(/\s+/g, ' ');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
