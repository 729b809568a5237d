import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ejs, { type TemplateFunction } from 'ejs';
import { accentCss, accentFrom } from './accent.ts';
import type { Assets } from './assets.ts';
import { fontCss } from './fonts.ts';
import { type Clock, clockFor } from './clock.ts';
import { deviceInWords, type NamedDevice } from './device-in-words.ts';
import { composeMail, type MailModel } from './mails.ts';
import { asLocale, directionOf, messageParts, t, type MessageValues } from './messages.ts';

/** `url`: below the origin of the page; in mails a whole one. Sizes in pixels of the file. */
export type PageLogo = { url: string; width: number; height: number };
export type PageApp = { app_id: string; name: string; accent?: string | null; logo?: PageLogo | undefined };
/** `timeZone`: the reader's, where it is known. */
export type PageOptions = {
  locale: string;
  nonce: string;
  app?: PageApp | undefined;
  timeZone?: string | undefined;
};
export type MailOptions = { locale: string; app?: PageApp | undefined };
export type RenderedMail = { from_name: string; subject: string; html: string; text: string };
export type Views = {
  renderPage(name: string, model: object, options: PageOptions): string;
  renderMail(name: string, model: MailModel, options: MailOptions): RenderedMail;
};

// For people who build with Latchkey: written once, in English, and marked as such for screen readers.
const ENGLISH_ONLY = /^(?:home|dev|api)\//;

/**
 * Addresses come from client metadata. `javascript:` and its kin would run in our origin; a private-use scheme
 * must hold a dot (RFC 8252 §7.1), so none of the browsers' own schemes can pass for one.
 */
export function safeHref(url: unknown): string | null {
  if (typeof url !== 'string') return null;
  if (/^\/(?![/\\])/.test(url)) return url;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) return null;
  return /^https?:$/.test(parsed.protocol) || parsed.protocol.includes('.') ? parsed.href : null;
}

const segmenter = new Intl.Segmenter();

/** The letter on an app's key tag: the first letter or digit as a reader sees it. */
export function initialOf(name: string): string {
  // Two printable characters of ASCII are always two to a reader (UAX #29), and to ask costs more than all else here.
  if (/^[A-Za-z0-9][ -~]/.test(name)) return name.charAt(0).toLocaleUpperCase();
  for (const { segment } of segmenter.segment(name)) {
    if (/^[\p{L}\p{N}]/u.test(segment)) return segment.toLocaleUpperCase();
  }
  return '·';
}

function templatesIn(viewsDir: string): Map<string, TemplateFunction> {
  const templates = new Map<string, TemplateFunction>();
  for (const entry of readdirSync(viewsDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ejs')) continue;
    const filename = join(entry.parentPath, entry.name);
    const name = relative(viewsDir, filename).slice(0, -'.ejs'.length).split(sep).join('/');
    const options = {
      filename,
      strict: true,
      _with: false,
      localsName: 'it',
      rmWhitespace: !name.endsWith('.text'),
      destructuredLocals: ['include'],
      // Passed on as they are: to copy them costs more than most templates. Unsafe only where there is a `with`.
      unsafePrototypeLocals: true,
    };
    templates.set(name, ejs.compile(readFileSync(filename, 'utf8'), options));
  }
  return templates;
}

/** What an object has by nature no template sees, nor what somebody puts there. */
const NOTHING: object = Object.freeze(Object.create(null));

/**
 * Draws with an `include` of ours: the library's looks for the file and copies all locals twice, for every icon. What a
 * part is given is for itself and its own parts; no template writes into what it sees.
 */
function drawerOf(templates: ReadonlyMap<string, TemplateFunction>) {
  const draw = (name: string, locals: object): string => {
    const template = templates.get(name);
    if (template === undefined) throw new Error(`no view ${name}`);
    return template(locals);
  };
  const localsOf = (seen: object, given: object): object => {
    const locals = {
      __proto__: NOTHING,
      ...seen,
      ...given,
      include: (path: string, more?: object) => draw(path.slice(1), more ? localsOf(locals, more) : locals),
    };
    return locals;
  };
  return (name: string, model: object, given: object): string => draw(name, localsOf(model, given));
}

function wordsFor(locale: string, timeZone?: string) {
  let clock: Clock | undefined;
  return {
    locale,
    dir: directionOf(locale),
    t: (key: string, values?: MessageValues) => t(locale, key, values),
    parts: (key: string, values: MessageValues) => messageParts(locale, key, values),
    when: (iso: string) => (clock ??= clockFor(locale, timeZone))(iso),
    device_of: (named: NamedDevice) => deviceInWords(locale, named),
  };
}

/** Compiles every template at once: a page with a syntax error stops the start, not a sign-in. */
export function createViews({ viewsDir, assets }: { viewsDir: string; assets: Assets }): Views {
  const draw = drawerOf(templatesIn(viewsDir));
  const fonts = fontCss(assets.url);

  return {
    renderPage(name, model, options) {
      const locale = ENGLISH_ONLY.test(name) ? 'en' : (asLocale(options.locale) ?? 'en');
      return draw(name, model, {
        ...wordsFor(locale, options.timeZone),
        app: options.app ?? null,
        nonce: options.nonce,
        for_developers: ENGLISH_ONLY.test(name),
        accent_css: accentCss(accentFrom(options.app?.accent)),
        font_css: fonts,
        asset: assets.url,
        href: safeHref,
        initial: initialOf,
      });
    },

    renderMail(name, model, options) {
      const locale = asLocale(options.locale) ?? 'en';
      const appName = model.app_name ?? options.app?.name ?? 'Latchkey';
      const mail = composeMail(name, { ...model, app_name: appName }, locale);
      const locals = {
        ...wordsFor(locale),
        mail,
        app_name: appName,
        initial: initialOf(appName),
        accent: accentFrom(options.app?.accent),
        logo: options.app?.logo ?? null,
      };
      return {
        from_name: appName.replace(/[\p{Cc}\u2028\u2029]+/gu, ' '),
        subject: mail.subject,
        html: draw('mail/message', {}, locals),
        text: draw('mail/message.text', {}, locals),
      };
    },
  };
}
