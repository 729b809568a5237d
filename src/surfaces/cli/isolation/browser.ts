import { type Answer, FORM, type Send } from './call.ts';

export type Cookie = { name: string; value: string; path: string };
export type Page = Answer & { url: string };
export type Form = { action: string; fields: Record<string, string> };

/** A browser without scripts: cookies with their paths, redirects followed only within the deployment. */
export class Browser {
  readonly #send: Send;
  readonly #origin: string;
  readonly #jar = new Map<string, Cookie>();

  constructor(send: Send, baseUrl: string) {
    this.#send = send;
    this.#origin = new URL(baseUrl).origin;
  }

  cookies(): Cookie[] {
    return [...this.#jar.values()];
  }

  /** Cookies of another browser, put here by whoever has both. */
  take(cookies: readonly Cookie[]): void {
    for (const cookie of cookies) this.#jar.set(`${cookie.name} ${cookie.path}`, cookie);
  }

  /** One request, nothing followed. */
  async ask(url: string, form?: Record<string, string>): Promise<Page> {
    const target = new URL(url, this.#origin);
    const cookie = this.cookies()
      .filter(
        ({ path }) => path === '/' || target.pathname === path || target.pathname.startsWith(`${path}/`),
      )
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const answer = await this.#send({
      method: form ? 'POST' : 'GET',
      url: target.href,
      headers: {
        accept: 'text/html',
        ...(cookie ? { cookie } : {}),
        ...(form ? { 'content-type': FORM, origin: this.#origin } : {}),
      },
      body: form && new URLSearchParams(form).toString(),
    });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    return { ...answer, url: target.href };
  }

  /** The same, following redirects until one leads elsewhere; the page's `url` is where it ended, perhaps unfetched. */
  async open(url: string, form?: Record<string, string>): Promise<Page> {
    let page = await this.ask(url, form);
    for (let hops = 0; page.location !== undefined && hops < 10; hops += 1) {
      const { location } = page;
      if (new URL(location).origin !== this.#origin) return { ...page, url: location };
      page = await this.ask(location);
    }
    return page;
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const of = (wanted: string): string | undefined =>
      attributes.find((one) => one.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
    const equals = pair.indexOf('=');
    const cookie = { name: pair.slice(0, equals), value: pair.slice(equals + 1), path: of('path') ?? '/' };
    const expires = of('expires');
    const isGone =
      of('max-age') === '0' || (expires !== undefined && new Date(expires).getTime() <= Date.now());
    if (isGone) this.#jar.delete(`${cookie.name} ${cookie.path}`);
    else this.#jar.set(`${cookie.name} ${cookie.path}`, cookie);
  }
}

/** The form of a page whose action ends so. */
export function formOf(page: Page, ending: string): Form {
  for (const [, attributes, inner] of page.text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)) {
    const action = new URL(attribute(attributes!, 'action') || page.url, page.url).href;
    if (!action.endsWith(ending)) continue;
    const inputs = [...inner!.matchAll(/<input\b[^>]*>/g)].map(([tag]) => tag);
    const fields = inputs.map((tag) => [attribute(tag, 'name'), attribute(tag, 'value')] as const);
    return { action, fields: Object.fromEntries(fields.filter(([name]) => name !== '')) };
  }
  throw new Error(`no form for …${ending} at ${new URL(page.url).pathname} (${page.status})`);
}

const attribute = (tag: string, name: string): string =>
  (new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '').replace(
    /&(amp|lt|gt|quot|#39|#34);/g,
    (_, entity: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#34': '"' })[entity]!,
  );
