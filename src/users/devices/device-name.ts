import Bowser from 'bowser';

export type DeviceName = {
  browser: string | null;
  os: string | null;
  kind: 'desktop' | 'mobile' | 'tablet' | null;
};

/** Names that the library knows. Whatever else it reads out of a header was written by whoever sent it. */
const BROWSERS: ReadonlySet<string> = new Set(Object.values(Bowser.BROWSER_MAP));
const SYSTEMS: ReadonlySet<string> = new Set(Object.values(Bowser.OS_MAP));
const KINDS = ['desktop', 'mobile', 'tablet'] as const;

/** Browser and system of a User-Agent header, as far as they have names; never text out of the header itself. */
export function deviceOf(userAgent: string | null | undefined): DeviceName {
  const header = userAgent?.slice(0, 512) ?? '';
  // The library throws for an empty one.
  if (header.trim() === '') return { browser: null, os: null, kind: null };
  const { browser, os, platform } = Bowser.parse(header);
  return {
    browser: browser.name !== undefined && BROWSERS.has(browser.name) ? browser.name : null,
    os: os.name !== undefined && SYSTEMS.has(os.name) ? os.name : null,
    kind: KINDS.find((kind) => kind === platform.type) ?? null,
  };
}
