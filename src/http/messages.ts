import { readFileSync } from 'node:fs';
import IntlMessageFormat from 'intl-messageformat';

export const LOCALES = ['en', 'de', 'fr', 'es', 'pt', 'ja', 'ar'] as const;
export type Locale = (typeof LOCALES)[number];
export type MessageValues = Record<string, string | number>;
/** A sentence cut at its values, so that a page can mark them up without the catalogue holding markup. */
export type MessagePart = { text: string; value: boolean };

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar']);
const DIRECTORY = new URL('../../views/messages/', import.meta.url);

const catalogues = new Map<Locale, ReadonlyMap<string, string>>(
  LOCALES.map((locale) => [locale, readCatalogue(locale)]),
);
const compiled = new Map<Locale, Map<string, IntlMessageFormat>>(
  LOCALES.map((locale) => [locale, new Map()]),
);

function readCatalogue(locale: Locale): ReadonlyMap<string, string> {
  const json: unknown = JSON.parse(readFileSync(new URL(`${locale}.json`, DIRECTORY), 'utf8'));
  return new Map(Object.entries(json as Record<string, string>));
}

export function catalogue(locale: Locale): ReadonlyMap<string, string> {
  return catalogues.get(locale) ?? new Map();
}

/** The nearest language we have for a BCP 47 tag, or null. */
export function asLocale(tag: string): Locale | null {
  if (catalogues.has(tag as Locale)) return tag as Locale;
  const primary = tag.trim().toLowerCase().split(/[-_]/)[0];
  return LOCALES.find((locale) => locale === primary) ?? null;
}

export function directionOf(locale: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(locale) ? 'rtl' : 'ltr';
}

function acceptedTags(header: string): string[] {
  return header
    .slice(0, 1000)
    .split(',')
    .map((item) => {
      const [tag = '', ...parameters] = item.split(';').map((part) => part.trim());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      const weight = q === undefined ? 1 : Number(q.slice(2));
      return { tag, weight: Number.isFinite(weight) ? weight : 0 };
    })
    .filter(({ tag, weight }) => tag !== '' && weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag);
}

/** `ui_locales` (OIDC Core §3.1.2.1: space-separated, best first) wins over Accept-Language; English when neither fits. */
export function pickLocale(uiLocales: string | undefined, acceptLanguage: string | undefined): Locale {
  const wanted = [...(uiLocales ?? '').slice(0, 1000).split(/\s+/), ...acceptedTags(acceptLanguage ?? '')];
  for (const tag of wanted) {
    const locale = asLocale(tag);
    if (locale !== null) return locale;
  }
  return 'en';
}

function formatFor(locale: string, key: string): IntlMessageFormat {
  const known = asLocale(locale) ?? 'en';
  const formats = compiled.get(known)!;
  let format = formats.get(key);
  if (format === undefined) {
    const source = catalogue(known).get(key);
    if (source === undefined) throw new Error(`no message ${key} in ${known}`);
    // Markup in a catalogue is never parsed: values are escaped where they are printed.
    format = new IntlMessageFormat(source, known, undefined, { ignoreTag: true });
    formats.set(key, format);
  }
  return format;
}

/** Plain text, not escaped. Throws on an unknown key or a missing value: both are bugs. */
export function t(locale: string, key: string, values: MessageValues = {}): string {
  return String(formatFor(locale, key).format(values));
}

export function messageParts(locale: string, key: string, values: MessageValues): MessagePart[] {
  const boxed = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? { value } : value]),
  );
  return formatFor(locale, key)
    .formatToParts(boxed as Parameters<IntlMessageFormat['formatToParts']>[0])
    .map(({ value }) =>
      typeof value === 'object' && value !== null
        ? { text: String((value as { value: unknown }).value), value: true }
        : { text: String(value), value: false },
    );
}

/** The scopes of a consent page in words; scopes of ours that need none (`openid`) are kept, unknown ones named. */
export function scopeWords(
  locale: string,
  names: readonly string[],
): { name: string; title: string; detail: string }[] {
  return names.map((name) => {
    const key = catalogue('en').has(`scope.${name}.title`) ? name : 'custom';
    return {
      name,
      title: t(locale, `scope.${key}.title`, { name }),
      detail: t(locale, `scope.${key}.detail`, { name }),
    };
  });
}
