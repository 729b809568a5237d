/** More than any of our own requests; the library reads 56 kB. */
const MOST_CHARACTERS = 16_384;

export type Form = Readonly<Record<string, string>>;

/**
 * The fields of an urlencoded form as every reader sees them: each known, given once, not empty and well encoded.
 * undefined: the library has to look at it.
 */
export function plainFields(text: string | undefined, known: ReadonlySet<string>): Form | undefined {
  if (text === undefined || text.length > MOST_CHARACTERS) return undefined;
  const fields: Record<string, string> = Object.create(null);
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, Math.max(0, equals));
    if (!known.has(name) || name in fields) return undefined;
    const value = decoded(pair.slice(equals + 1));
    if (!value) return undefined;
    fields[name] = value;
  }
  return fields;
}

/** Whether it holds nothing but these. */
export function holdsOnly(form: Form, names: ReadonlySet<string>): boolean {
  for (const name in form) if (!names.has(name)) return false;
  return true;
}

function decoded(text: string): string | undefined {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
