type Cookie = { value: string; path: string };

export type Page = { status: number; url: string; html: string; headers: Headers };
export type Form = { action: string; method: string; fields: Record<string, string>; html: string };

/** A browser without scripts: cookies with their paths, redirects followed only within one origin, forms as a person sends them. */
export class Agent {
  readonly origin: string;
  readonly #jar = new Map<string, Cookie>();
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof fetch;

  constructor(origin: string, headers: Record<string, string> = {}, fetcher = fetch) {
    this.origin = origin;
    this.#headers = headers;
    this.#fetch = fetcher;
  }

  cookieNames(): string[] {
    return [...this.#jar.keys()].map((key) => key.split(' ')[0]!);
  }

  /** Name, value and path of every cookie. */
  cookies(): [string, string, string][] {
    return [...this.#jar].map(([key, { value, path }]) => [key.split(' ')[0]!, value, path]);
  }

  cookie(name: string): string | undefined {
    return [...this.#jar].find(([key]) => key.startsWith(`${name} `))?.[1].value;
  }

  setCookie(name: string, value: string, path = '/'): void {
    this.#jar.set(`${name} ${path}`, { value, path });
  }

  /** One request, no redirect followed. */
  async send(url: string, init: RequestInit = {}): Promise<Response> {
    const target = new URL(url, this.origin);
    const cookies = [...this.#jar]
      .filter(
        ([, cookie]) =>
          cookie.path === '/' ||
          target.pathname === cookie.path ||
          target.pathname.startsWith(`${cookie.path}/`),
      )
      .map(([key, cookie]) => `${key.split(' ')[0]}=${cookie.value}`);
    const response = await this.#fetch(target, {
      redirect: 'manual',
      ...init,
      headers: {
        accept: 'text/html,application/xhtml+xml',
        ...this.#headers,
        ...(cookies.length ? { cookie: cookies.join('; ') } : {}),
        ...(init.headers as Record<string, string>),
      },
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  /** Follows redirects as long as they stay here; the URL of the answer may be elsewhere, unfetched. */
  async open(url: string, init: RequestInit = {}): Promise<Page> {
    let response = await this.send(url, init);
    let here = new URL(url, this.origin);
    for (let hops = 0; response.status >= 300 && response.status < 400; hops += 1) {
      if (hops > 10) throw new Error(`redirect loop at ${here.href}`);
      here = new URL(response.headers.get('location')!, here);
      if (here.origin !== this.origin)
        return { status: response.status, url: here.href, html: '', headers: response.headers };
      response = await this.send(here.href);
    }
    return {
      status: response.status,
      url: here.href,
      html: await response.text(),
      headers: response.headers,
    };
  }

  /** Sends the form of a page whose action ends in `ending` (default: the first one with method post), with fields filled in. */
  async submit(
    page: Page,
    fields: Record<string, string>,
    options: { ending?: string; action?: string } = {},
  ): Promise<Page> {
    const form = formsOf(page).find((one) =>
      options.ending === undefined ? one.method === 'post' : one.action.endsWith(options.ending),
    );
    if (!form) throw new Error(`no such form on ${page.url} (${page.status}):\n${page.html.slice(0, 2000)}`);
    return this.open(options.action ?? form.action, {
      method: 'POST',
      headers: { origin: this.origin },
      body: new URLSearchParams({ ...form.fields, ...fields }),
    });
  }

  #keep(line: string): void {
    const [pair, ...attributes] = line.split(';').map((part) => part.trim());
    const equals = pair!.indexOf('=');
    const name = pair!.slice(0, equals);
    const value = pair!.slice(equals + 1);
    const of = (wanted: string): string | undefined =>
      attributes.find((one) => one.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
    const key = `${name} ${of('path') ?? '/'}`;
    const gone = of('max-age') === '0' || new Date(of('expires') ?? Date.now() + 1e9).getTime() <= Date.now();
    if (gone) this.#jar.delete(key);
    else this.#jar.set(key, { value, path: of('path') ?? '/' });
  }
}

export function formsOf(page: Page): Form[] {
  return [...page.html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, attributes, inner]) => ({
    action: new URL(decode(/\baction="([^"]*)"/.exec(attributes!)?.[1] ?? page.url), page.url).href,
    method: (/\bmethod="([^"]*)"/.exec(attributes!)?.[1] ?? 'get').toLowerCase(),
    fields: Object.fromEntries(
      [...inner!.matchAll(/<input\b[^>]*>/g)]
        .filter(([input]) => !/type="checkbox"/.test(input) || /\bchecked\b/.test(input))
        .map(([input]) => [attribute(input, 'name'), attribute(input, 'value')])
        .filter(([name]) => name),
    ),
    html: inner!,
  }));
}

const attribute = (tag: string, name: string): string =>
  decode(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');

const decode = (text: string): string =>
  text.replace(
    /&(amp|lt|gt|quot|#39|#34);/g,
    (_, entity: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#34': '"' })[entity]!,
  );
