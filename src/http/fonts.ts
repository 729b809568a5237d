import { createRequire } from 'node:module';

/** `range`: the characters that the file has (CSS `unicode-range`), so that a browser loads what a page needs. */
type Font = { name: string; file: string; range: string };

const fileOf = (subset: string): string =>
  createRequire(import.meta.url).resolve(
    `@fontsource-variable/figtree/files/figtree-${subset}-wght-normal.woff2`,
  );

/** Figtree for scripts that it has; for all others the reader's own fonts. From here: nobody else is told who signs in. */
export const FONTS: readonly Font[] = [
  {
    name: 'figtree.woff2',
    file: fileOf('latin'),
    range:
      'U+0-FF,U+131,U+152-153,U+2BB-2BC,U+2C6,U+2DA,U+2DC,U+304,U+308,U+329,U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD',
  },
  {
    name: 'figtree-ext.woff2',
    file: fileOf('latin-ext'),
    range:
      'U+100-2BA,U+2BD-2C5,U+2C7-2CC,U+2CE-2D7,U+2DD-2FF,U+1D00-1DBF,U+1E00-1E9F,U+1EF2-1EFF,U+2020,U+20A0-20AB,U+20AD-20C0,U+2113,U+2C60-2C7F,U+A720-A7FF',
  },
];

/** The rules that name them. Pages load the first one ahead; lines are as high with any font, so nothing moves when it comes late. */
export function fontCss(url: (name: string) => string): string {
  return FONTS.map(
    ({ name, range }) =>
      `@font-face{font-family:Figtree;font-weight:300 900;font-display:swap;src:url(${url(name)});unicode-range:${range}}`,
  ).join('');
}
