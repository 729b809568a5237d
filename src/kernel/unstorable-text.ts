/** The path of the first string that Postgres can not keep: U+0000 and halves of surrogate pairs. '' for the root. */
export function findUnstorable(value: unknown, path = ''): string | undefined {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed() ? path : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const at = path ? `${path}.${name}` : name;
    const found = findUnstorable(name, at) ?? findUnstorable(inner, at);
    if (found !== undefined) return found;
  }
  return undefined;
}
