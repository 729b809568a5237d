let list: Promise<ReadonlySet<string>> | undefined;

/** Whether this is one of the fifty thousand passwords that people take most, perhaps with digits and signs around it. */
export async function isCommon(password: string): Promise<boolean> {
  list ??= load();
  const common = await list;
  const lower = password.toLowerCase();
  const word = lower.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
  return common.has(lower) || (word.length >= 4 && common.has(word));
}

/** Not before the first password is chosen: it is 400 kB, which the start does not wait for. */
async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common']);
}
