import { FrequencyCache } from '../kernel/frequency-cache.ts';

type Rgb = readonly [number, number, number];

/** Every value is a `#rrggbb` that is safe to print in a style sheet. */
export type AccentScheme = Readonly<{
  fill: string;
  hover: string;
  onFill: string;
  edge: string;
  text: string;
}>;

export type Accent = Readonly<{ light: AccentScheme; dark: AccentScheme }>;

/** The grounds that latchkey.css paints; a test compares them with the file. */
export const GROUNDS = {
  light: { page: '#f4f4f0', surface: '#ffffff' },
  dark: { page: '#0e1113', surface: '#171b1e' },
} as const;

export const DEFAULT_ACCENT = '#0e6b56';

const WHITE = '#ffffff';
const BLACK = '#000000';

/** Returns `#rrggbb` in lower case, or null for anything that is not a three- or six-digit hex colour. */
export function parseHex(value: string | null | undefined): string | null {
  const match = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(value?.trim() ?? '');
  const digits = match?.[1]?.toLowerCase();
  if (digits === undefined) return null;
  return `#${digits.length === 3 ? digits.replace(/./g, '$&$&') : digits}`;
}

function channels(hex: string): Rgb {
  const n = Number.parseInt(hex.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

function luminance(hex: string): number {
  const [r, g, b] = channels(hex).map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG 2.2 contrast ratio, 1 to 21. */
export function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function mix(from: string, to: string, share: number): string {
  const target = channels(to);
  const mixed = channels(from).map((c, i) => Math.round(c + ((target[i] ?? 0) - c) * share));
  return `#${mixed.map((c) => c.toString(16).padStart(2, '0')).join('')}`;
}

// One-per-cent steps: the first that passes stays as near to the brand's colour as it can be.
function towards(hex: string, pole: string, passes: (candidate: string) => boolean): string {
  for (let step = 0; step < 100; step += 1) {
    const candidate = mix(hex, pole, step / 100);
    if (passes(candidate)) return candidate;
  }
  return pole;
}

function scheme(brand: string, ground: { page: string; surface: string }, pole: string): AccentScheme {
  const against = (least: number) => (c: string) =>
    contrast(c, ground.page) >= least && contrast(c, ground.surface) >= least;
  // On paper a pale fill is carried by its edge; on a dark ground a dark fill would read as disabled.
  const fill = towards(brand, pole, against(pole === BLACK ? 1.5 : 3));
  // White is preferred while it is readable, because most brands were drawn with it.
  const onFill = contrast(WHITE, fill) >= 4.5 ? WHITE : BLACK;
  return {
    fill,
    onFill,
    hover: mix(fill, onFill === WHITE ? BLACK : WHITE, 0.14),
    edge: towards(brand, pole, against(3)),
    text: towards(brand, pole, against(4.7)),
  };
}

/** Guarantees WCAG AA on both grounds for any colour: text 4.5, edges and focus 3, label on fill 4.5. */
export function accentFrom(value: string | null | undefined): Accent {
  const brand = parseHex(value) ?? DEFAULT_ACCENT;
  const known = accents.get(brand);
  if (known) return known;
  const accent = { light: scheme(brand, GROUNDS.light, BLACK), dark: scheme(brand, GROUNDS.dark, WHITE) };
  accents.set(brand, accent);
  return accent;
}

/** By the colour alone, of which they are made: to find one takes longer than to draw the rest of a page. */
const accents = new FrequencyCache<Accent>(2000);

function declarations(s: AccentScheme): string {
  return `--accent:${s.fill};--accent-hover:${s.hover};--on-accent:${s.onFill};--accent-edge:${s.edge};--accent-text:${s.text}`;
}

/** CSS for a `<style nonce>`; holds nothing but parsed colours. */
export function accentCss(accent: Accent): string {
  return `:root{${declarations(accent.light)}}@media (prefers-color-scheme:dark){:root{${declarations(accent.dark)}}}`;
}
