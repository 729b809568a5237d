import type { Context } from 'koa';
import { clientAddress } from '../http/client-address.ts';

/** Where a request came from, as far as it can be told to the person it was made for. */
export type AskedFrom = { place: string; device: string; requestedAt: string };

export function askedFrom(ctx: Context): AskedFrom {
  return {
    // The network address: no geography is looked up, and a wrong town would be worse than none.
    place: clientAddress(ctx),
    device: deviceInWords(ctx.get('User-Agent')),
    requestedAt: new Date().toISOString(),
  };
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:HeadlessChrome|Chrome|CriOS|Chromium)\//, 'Chrome'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** "Firefox on Windows". Only words from these lists: the header is written by whoever asked. */
export function deviceInWords(userAgent: string): string {
  const named = (list: readonly (readonly [RegExp, string])[]) =>
    list.find(([pattern]) => pattern.test(userAgent.slice(0, 512)))?.[1];
  const browser = named(BROWSERS);
  const system = named(SYSTEMS);
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? '';
}
