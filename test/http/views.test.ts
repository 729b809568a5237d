import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import Koa from 'koa';
import request from 'supertest';
import { accentCss, accentFrom, contrast, DEFAULT_ACCENT, GROUNDS, parseHex } from '../../src/http/accent.ts';
import { createAssets } from '../../src/http/assets.ts';
import { MAIL_NAMES } from '../../src/http/mails.ts';
import { LOCALES, t } from '../../src/http/messages.ts';
import { createViews, initialOf, safeHref } from '../../src/http/views.ts';
import { type SamplePage, samplePages } from './sample-pages.ts';

const VIEWS = join(import.meta.dirname, '../../views');
const HOSTILE = `"><img src=x onerror=alert(1)>'&</title><script>alert(2)</script>`;
const nonce = 'dGVzdA';
const assets = createAssets(join(VIEWS, 'assets'));
const views = createViews({ viewsDir: VIEWS, assets });
const pagesIn = (locale: string): SamplePage[] =>
  samplePages((key, values) => t(locale, key, values), locale);
const nameOf = (page: SamplePage): string => `${page.view}${page.variant ? ` (${page.variant})` : ''}`;

function render(page: SamplePage, locale = 'en'): string {
  return views.renderPage(page.view, page.model, { locale, nonce, app: page.app });
}

function poisoned<T>(value: T): T {
  if (typeof value === 'string') return (/^(\/|https?:)/.test(value) ? value + HOSTILE : HOSTILE) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => poisoned(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, poisoned(item)])) as T;
}

const formsIn = (html: string): string[] => html.match(/<form[\s\S]*?<\/form>/g) ?? [];

describe('pages', () => {
  for (const page of pagesIn('en')) {
    describe(nameOf(page), () => {
      it('prints nothing a stranger wrote as markup', () => {
        const html = render({
          ...page,
          model: poisoned(page.model),
          app: { app_id: 'x', name: HOSTILE, accent: HOSTILE },
        });
        expect(html).not.to.contain('<img');
        expect(html.match(/<script/g)).to.have.length(
          html.match(/<script src="[^"<>]*" defer>/g)?.length ?? 0,
        );
        expect(html.match(/<\/title>/g)).to.have.length(1);
      });

      it('has no inline style, no inline handler and no other origin', () => {
        const html = render(page);
        expect(html).not.to.match(/<[^>]+\sstyle=/i);
        expect(html).not.to.match(/<[^>]+\son[a-z]+=/i);
        expect(html).not.to.match(/<(?:script|link|img|iframe|source)[^>]+(?:src|href)="(?:https?:)?\/\//i);
        expect(html.match(/<style/g)).to.have.length(1);
        expect(html).to.contain(`<style nonce="${nonce}">`);
      });

      it('weighs less than 60 kB with its style sheet, script and icon, uncompressed', () => {
        const files = ['latchkey.css', 'latchkey.js', 'passkeys.js', 'favicon.svg', 'favicon.ico'];
        const weight = files.reduce((sum, file) => sum + readFileSync(join(VIEWS, 'assets', file)).length, 0);
        for (const locale of LOCALES) {
          expect(weight + Buffer.byteLength(render(page, locale)), locale).to.be.below(60_000);
        }
      });

      it('posts every form, with a token against forgery and a button that submits', () => {
        for (const form of formsIn(render(page))) {
          // The list only leads to each app's own sign-out page; that page asks and posts.
          if (page.view !== 'session/sign-out-list') {
            expect(form).to.match(/^<form[^>]* method="post"/);
            // The deployment's own page for a code changes nothing, and leads to an app's.
            if (page.view === 'device/enter' && !page.app) continue;
            expect(form).to.match(/<input type="hidden" name="(csrf|xsrf)" value="[^"]+">/);
          }
          expect(form).to.match(/<button[^>]* type="submit"/);
        }
      });

      it('has one heading, a title, a language and a direction', () => {
        for (const locale of ['en', 'ar'] as const) {
          const html = render(page, locale);
          const english = /^(home|dev)\//.test(page.view) || locale === 'en';
          expect(html).to.contain(english ? '<html lang="en" dir="ltr">' : '<html lang="ar" dir="rtl">');
          expect(html.match(/<h1[ >]/g)).to.have.length(1);
          expect(html).to.match(/<title>[^<]+<\/title>/);
          expect(html).not.to.contain('undefined');
        }
      });

      it('renders in every language', () => {
        for (const locale of LOCALES) {
          const translated = pagesIn(locale).find((candidate) => nameOf(candidate) === nameOf(page));
          expect(render(translated ?? page, locale), locale).to.contain('</html>');
        }
      });
    });
  }

  it('refuse a view that does not exist', () => {
    expect(() => views.renderPage('../package', {}, { locale: 'en', nonce })).to.throw('no view');
  });

  it('cannot be made to show another app or another nonce by their model', () => {
    const html = views.renderPage(
      'error/not-found',
      { app: { name: 'Evil' }, nonce: 'evil', accent_css: 'evil' },
      { locale: 'en', nonce },
    );
    expect(html).not.to.match(/evil/i);
  });

  it('see nothing that an object has by nature, nor what was put there', () => {
    const draw = () => views.renderPage('error/not-found', {}, { locale: 'en', nonce });
    const clean = draw();
    const everywhere = Object.prototype as { problem?: string; heading?: string };
    Object.assign(everywhere, { problem: 'evil', heading: 'evil' });
    try {
      expect(draw()).to.equal(clean);
    } finally {
      delete everywhere.problem;
      delete everywhere.heading;
    }
  });

  it('write nothing into what they see, which parts that are given nothing share', () => {
    for (const file of readdirSync(VIEWS, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ejs')) continue;
      const code = readFileSync(join(VIEWS, file), 'utf8').match(/<%[^#][\s\S]*?%>/g) ?? [];
      expect(code.join('\n'), file).not.to.match(/\bit(?:\.\w+)+ *(?:[-+*/?|&]*=(?![=>])|\+\+|--)/);
    }
  });

  it('keep what one part is given from the parts behind it', () => {
    const page = pagesIn('en').find(({ view }) => view === 'account/factor-totp')!;
    // The frame is told that there is no problem, because the form says it.
    expect(render({ ...page, model: { ...page.model, problem: 'Not that one.' } })).to.contain(
      'Not that one.',
    );
  });
});

describe('the stable names of fields', () => {
  const fields: Record<string, string[]> = {
    'sign-in/sign-in': ['email', 'password'],
    'sign-in/magic-link/sent': ['code'],
    'sign-up/sign-up': ['email', 'password'],
    'sign-up/sent': ['code'],
    'sign-up/confirm-with-password': ['email', 'password'],
    'recovery/request': ['email'],
    'recovery/new-password': ['email', 'new_password'],
    'invitation/accept': ['email', 'new_password'],
  };
  const autocomplete: Record<string, RegExp> = {
    email: /autocomplete="username( webauthn)?"/,
    password: /autocomplete="(current|new)-password"/,
    new_password: /autocomplete="new-password"/,
    code: /inputmode="numeric" autocomplete="one-time-code"/,
  };
  for (const [view, names] of Object.entries(fields)) {
    it(`${view} has ${names.join(' and ')}, labelled and completed by the browser`, () => {
      const page = pagesIn('en').find((candidate) => candidate.view === view);
      const html = render(page as SamplePage);
      for (const name of names) {
        const input = html.match(new RegExp(`<input[^>]* id="${name}" name="${name}"[^>]*>`))?.[0] ?? '';
        expect(input, name).to.match(autocomplete[name] ?? /never/);
        expect(html).to.contain(`for="${name}"`);
      }
    });
  }

  it('every field that a person fills in says what it is for, to people and to password managers', () => {
    const purposes: Record<string, RegExp> = {
      email: /^(username( webauthn)?|email)$/,
      password: /^(current|new)-password$/,
      current_password: /^current-password$/,
      new_password: /^new-password$/,
      // A recovery code is no code of the moment: nothing may offer the newest message for it.
      code: /^(one-time-code|off)$/,
      given_name: /^given-name$/,
      family_name: /^family-name$/,
    };
    let fields = 0;
    for (const page of pagesIn('en')) {
      const html = render(page);
      for (const [input] of html.matchAll(/<input\b[^>]*>/g)) {
        const at = (name: string): string | undefined => new RegExp(`\\s${name}="([^"]*)"`).exec(input)?.[1];
        if (['hidden', 'checkbox', 'radio'].includes(at('type') ?? 'text')) continue;
        const told = `${nameOf(page)}: ${input}`;
        fields += 1;
        expect(at('name'), told).to.match(/^[a-z][a-z_]*$/);
        const isLabelled =
          at('aria-label') !== undefined ||
          html.includes(`id="${at('aria-labelledby')}"`) ||
          html.includes(`for="${at('id')}"`);
        expect(isLabelled, told).to.equal(true);
        // A phone puts no capital letter and no correction into an address or a secret.
        if (!at('type') || at('type') === 'text') expect(at('autocomplete'), told).to.not.equal(undefined);
        const purpose = purposes[at('name')!];
        if (purpose && !at('readonly')) expect(at('autocomplete'), told).to.match(purpose);
        if (at('type') === 'password') expect(at('autocomplete'), told).to.match(/^(current|new)-password$/);
      }
    }
    expect(fields).to.be.above(15);
  });

  it('signing in offers the link from the same form, without asking for the password', () => {
    const html = render(pagesIn('en')[0] as SamplePage);
    const [form = ''] = formsIn(html);
    expect(form.match(/<button[^>]*>/g)).to.deep.equal([
      '<button class="primary" type="submit">',
      '<button class="secondary" type="submit" formaction="/magic-link" formnovalidate>',
    ]);
  });

  it('only a button that leaves a password out sends a form unchecked', () => {
    for (const page of pagesIn('en').filter(({ view }) => view === 'sign-in/sign-in')) {
      const html = render(page);
      const unchecked = html.match(/<button[^>]*formnovalidate[^>]*>/g) ?? [];
      for (const button of unchecked) expect(button, nameOf(page)).to.contain('class="secondary"');
      if (!html.includes('type="password"')) expect(unchecked, nameOf(page)).to.deep.equal([]);
    }
  });

  it('a problem is announced and tied to its fields', () => {
    for (const page of pagesIn('en').filter(({ variant }) => variant === 'problem')) {
      const html = render(page);
      expect(html, nameOf(page)).to.contain('id="problem" role="alert"');
      expect(html, nameOf(page)).to.match(/<input[^>]*aria-describedby="[^"]*\bproblem\b[^"]*"[^>]*>/);
      expect(html, nameOf(page)).to.contain('<title>Problem: ');
    }
  });

  it('a problem of one field leaves the other alone', () => {
    const page = pagesIn('en').find(
      ({ view, variant }) => view === 'sign-up/sign-up' && variant === 'problem',
    );
    const invalid = render(page as SamplePage).match(/<input[^>]*aria-invalid[^>]*>/g) ?? [];
    expect(invalid).to.have.length(1);
    expect(invalid[0]).to.contain('name="password"');
  });

  it('the page for another browser offers nothing but refusal', () => {
    for (const page of pagesIn('en').filter(({ view }) => view.endsWith('other-browser'))) {
      const forms = formsIn(render(page));
      expect(forms).to.have.length(1);
      expect(forms[0]).to.contain('action="/refuse"');
      expect(render(page)).not.to.match(/<a [^>]*href/);
    }
  });
});

describe('links that clients supply', () => {
  it('lead to the web, to our own origin or to an app, and nowhere else', () => {
    for (const url of ['https://a.example/', 'http://localhost:4000/', '/sign-in', 'com.example.app:/done']) {
      expect(safeHref(url), url).to.equal(url);
    }
    for (const url of [
      'javascript:alert(1)',
      ' javascript:alert(1)',
      'java\nscript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      '//evil.example',
      '/\\evil.example',
      'file:///etc',
      'x',
      '',
      null,
      7,
    ]) {
      expect(safeHref(url), String(url)).to.equal(null);
    }
  });

  it('the letter on a key tag is one that a reader sees', () => {
    expect([
      initialOf('wolf'),
      initialOf('  “émile”'),
      initialOf('e\u0301mile'),
      initialOf('x'),
      initialOf('-7'),
      initialOf('王'),
      initialOf('🐺'),
      initialOf(''),
    ]).to.deep.equal(['W', 'É', 'E\u0301', 'X', '7', '王', '·', '·']);
  });
});

describe('the accent of an app', () => {
  const colours = [0, 51, 102, 153, 204, 255].flatMap((r) =>
    [0, 51, 102, 153, 204, 255].flatMap((g) =>
      [0, 64, 128, 192, 255].map((b) => `#${[r, g, b].map((c) => c.toString(16).padStart(2, '0')).join('')}`),
    ),
  );

  it('is readable on both grounds whatever colour was chosen', () => {
    for (const colour of colours) {
      const accent = accentFrom(colour);
      for (const mode of ['light', 'dark'] as const) {
        const { fill, hover, onFill, edge, text } = accent[mode];
        expect(contrast(onFill, fill), `${colour} label ${mode}`).to.be.at.least(4.5);
        expect(contrast(onFill, hover), `${colour} hover ${mode}`).to.be.at.least(4.5);
        for (const ground of Object.values(GROUNDS[mode])) {
          expect(contrast(text, ground), `${colour} text ${mode}`).to.be.at.least(4.5);
          expect(contrast(edge, ground), `${colour} edge ${mode}`).to.be.at.least(3);
        }
      }
    }
  });

  it('is left alone where it is readable already', () => {
    expect(accentFrom('#2f4fd8').light).to.include({ fill: '#2f4fd8', edge: '#2f4fd8', text: '#2f4fd8' });
  });

  it('is found once for each colour, however that is written', () => {
    expect(accentFrom('#ABC')).to.equal(accentFrom('#aabbcc'));
    expect(accentFrom('#aabbcd')).not.to.deep.equal(accentFrom('#aabbcc'));
  });

  it('is a parsed value: anything else gives the colour of the house', () => {
    expect(parseHex('#AbC')).to.equal('#aabbcc');
    for (const bad of ['red', '#12', 'url(x)', '#fff;}body{display:none', '</style>', null, undefined]) {
      expect(parseHex(bad), String(bad)).to.equal(null);
      expect(accentFrom(bad)).to.deep.equal(accentFrom(DEFAULT_ACCENT));
    }
    expect(accentCss(accentFrom('</style><script>'))).to.match(/^[\w#:;(){}@ -]+$/);
  });

  it('is measured against the grounds that the style sheet paints', () => {
    const css = readFileSync(join(VIEWS, 'assets/latchkey.css'), 'utf8');
    const painted = (name: string): string[] =>
      [...css.matchAll(new RegExp(`--${name}: (#[0-9a-f]{6})`, 'g'))].map((m) => m[1] ?? '');
    expect(painted('page')).to.deep.equal([GROUNDS.light.page, GROUNDS.dark.page]);
    expect(painted('surface')).to.deep.equal([GROUNDS.light.surface, GROUNDS.dark.surface]);
  });
});

describe('mails', () => {
  const model = {
    app_name: 'Wolf Banana',
    url: 'https://id.example/x?a=1&b=2',
    place: 'Lisbon',
    device: 'Firefox',
  };

  for (const name of MAIL_NAMES) {
    it(`${name} says the same in HTML and in text, in every language`, () => {
      for (const locale of LOCALES) {
        const { subject, html, text, from_name } = views.renderMail(name, model, { locale });
        expect(from_name).to.equal('Wolf Banana');
        expect(subject).to.contain('Wolf Banana');
        expect(html).to.contain(`lang="${locale}"`).and.not.to.contain('undefined');
        expect(text).not.to.match(/undefined|<|&amp;/);
        if (!text.includes('https:')) continue;
        expect(text.split(model.url)).to.have.length(2);
        expect(html.split('https://id.example/x?a=1&amp;b=2')).to.have.length(3);
      }
    });

    it(`${name} prints nothing a stranger wrote as markup or as a header`, () => {
      const { subject, html, from_name } = views.renderMail(
        name,
        { ...model, app_name: `A\r\nBcc: b@c.d ${HOSTILE}`, place: HOSTILE, device: HOSTILE },
        { locale: 'en' },
      );
      expect(html).not.to.match(/<img|<script/);
      expect(subject + from_name).not.to.match(/[\r\n]/);
    });
  }

  it('say how long a link lives', () => {
    expect(
      views.renderMail('magic-link', { ...model, expires_minutes: 1 }, { locale: 'en' }).text,
    ).to.contain('for 1 minute.');
  });
});

describe('assets', () => {
  const server = new Koa();
  server.use(assets.middleware);
  server.use((ctx) => {
    ctx.status = 404;
    ctx.body = 'next';
  });
  const agent = request(server.callback());

  it('are kept for ever under an address made from what they hold', async () => {
    const response = await agent.get(assets.url('latchkey.css')).expect(200);
    expect(response.headers['cache-control']).to.equal('public, max-age=31536000, immutable');
    expect(response.headers['content-type']).to.equal('text/css; charset=utf-8');
    expect(response.headers.vary).to.contain('Accept-Encoding');
    expect(response.text).to.equal(readFileSync(join(VIEWS, 'assets/latchkey.css'), 'utf8'));
  });

  it('are not sent again to a browser that has them', async () => {
    const { headers } = await agent.get(assets.url('latchkey.js')).expect(200);
    await agent.get(assets.url('latchkey.js')).set('If-None-Match', String(headers.etag)).expect(304);
  });

  it('answer HEAD without a body and leave everything else to others', async () => {
    await agent.head(assets.url('favicon.svg')).expect(200);
    await agent.get('/favicon.ico').expect(200).expect('Content-Type', 'image/x-icon');
    for (const path of [
      '/assets/latchkey.css',
      '/assets/latchkey.000000000000.css',
      '/assets/..%2f..%2fpackage.json',
      '/other',
    ]) {
      await agent.get(path).expect(404, 'next');
    }
    await agent.post(assets.url('latchkey.css')).expect(404);
  });

  it('are known by name or not at all', () => {
    expect(() => assets.url('missing.css')).to.throw('no asset');
  });
});
