import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import IntlMessageFormat from 'intl-messageformat';
import { catalogue, LOCALES, messageParts, pickLocale, scopeWords, t } from '../../src/http/messages.ts';

type Elements = ReturnType<IntlMessageFormat['getAst']>;

const LITERAL = 0;
const PLURAL = 6;
const POUND = 7;

const parse = (text: string): Elements =>
  new IntlMessageFormat(text, 'en', undefined, { ignoreTag: true }).getAst();

function placeholders(elements: Elements, found = new Set<string>()): Set<string> {
  for (const element of elements) {
    if (element.type !== LITERAL && element.type !== POUND && 'value' in element)
      found.add(`${element.type} ${element.value}`);
    if (!('options' in element)) continue;
    for (const option of Object.values(element.options)) placeholders(option.value, found);
  }
  return found;
}

const namesIn = (locale: (typeof LOCALES)[number], key: string): string[] =>
  [...placeholders(parse(catalogue(locale).get(key) ?? ''))].sort();

describe('message catalogues', () => {
  for (const locale of LOCALES) {
    it(`${locale} has exactly the keys of English, in the same order`, () => {
      expect([...catalogue(locale).keys()]).to.deep.equal([...catalogue('en').keys()]);
    });

    it(`${locale} uses in every message the values that English uses`, () => {
      for (const key of catalogue('en').keys())
        expect(namesIn(locale, key), key).to.deep.equal(namesIn('en', key));
    });

    it(`${locale} leaves no message empty and holds no markup`, () => {
      for (const [key, text] of catalogue(locale)) {
        expect(text.trim(), key).not.to.equal('');
        expect(text, key).not.to.match(/[<>]/);
      }
    });

    it(`${locale} has every plural form that its language needs`, () => {
      const needed = new Intl.PluralRules(locale).resolvedOptions().pluralCategories.filter(
        // For whole numbers in French, Spanish and Portuguese "many" begins at a million.
        (category) => category !== 'many' || locale === 'ar',
      );
      for (const [key, text] of catalogue(locale)) {
        for (const element of parse(text)) {
          if (element.type === PLURAL && 'options' in element)
            expect(Object.keys(element.options), key).to.include.members(needed);
        }
      }
    });

    if (locale !== 'en') {
      it(`${locale} is translated, not copied`, () => {
        const copied = [...catalogue('en')].filter(([key, text]) => catalogue(locale).get(key) === text);
        // App, Code and the like are spelled alike in some languages.
        expect(copied.map(([key]) => key).length).to.be.below(4);
      });
    }
  }
});

describe('the words of the catalogues', () => {
  const root = join(import.meta.dirname, '../..');
  const sources = ['src', 'views']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(folder, file),
      ),
    )
    .filter((file) => /\.(ts|ejs)$/.test(file))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const word = '[a-z0-9_]+(?:\\.[a-z0-9_]+)*';

  it('are all said somewhere', () => {
    const literal = new Set(
      [...sources.matchAll(/['"`]([a-z0-9_]+(?:\.[a-z0-9_]+)+)['"`]/g)].map(([, key]) => key),
    );
    // `problem.${kind}` says every key that it could become; what is wholly a value says none.
    const made = [...sources.matchAll(/`([a-z0-9_.]*\$\{[^`]*?\}[a-z0-9_.${}]*)`/g)]
      .map(([, pattern]) => pattern!.split(/\$\{[^}]*\}/))
      .filter(
        (parts) => parts.join('').length > 1 && parts.join('').includes('.') && !parts[0]!.startsWith('.'),
      )
      .map((parts) => new RegExp(`^${parts.map((part) => part.replaceAll('.', '\\.')).join(word)}$`));
    const silent = [...catalogue('en').keys()].filter(
      (key) => !literal.has(key) && !made.some((pattern) => pattern.test(key)),
    );
    expect(silent).to.deep.equal([]);
  });

  it('exist wherever they are said', () => {
    const said = [
      ...sources.matchAll(/\b(?:it\.t|it\.parts|say|sentence\(ctx|t\(locale)(?:\(|, )'([a-z0-9_.]+)'/g),
    ].map(([, key]) => key!);
    expect(said.length).to.be.above(150);
    expect(said.filter((key) => !catalogue('en').has(key))).to.deep.equal([]);
  });
});

describe('choosing a language', () => {
  it('takes the first of ui_locales that is known, before Accept-Language', () => {
    expect(pickLocale('nl fr-CA de', 'es')).to.equal('fr');
  });

  it('takes the heaviest known language of Accept-Language', () => {
    expect(pickLocale(undefined, 'de;q=0.4, pt-BR;q=0.9, nl')).to.equal('pt');
  });

  it('never takes a language that is refused with q=0', () => {
    expect(pickLocale(undefined, 'de;q=0, *;q=0.1')).to.equal('en');
  });

  it('falls back to English for rubbish and for nothing', () => {
    expect(pickLocale('../../etc/passwd __proto__', ';;q=,,=')).to.equal('en');
    expect(pickLocale(undefined, undefined)).to.equal('en');
  });
});

describe('translating', () => {
  it('fills in values without treating them as a pattern or as markup', () => {
    expect(t('en', 'sign_in.to', { client: `{evil} <b> '` })).to.equal(`to continue to {evil} <b> '`);
  });

  it('counts in the forms of the language', () => {
    expect(t('en', 'unavailable.body', { seconds: 1 })).to.contain('1 second.');
    expect(t('ar', 'unavailable.body', { seconds: 2 })).to.contain('ثانيتين');
  });

  it('cuts a sentence at its values', () => {
    const parts = messageParts('de', 'consent.body', { client: 'Meadow', email: 'a@b.c' });
    expect(parts.filter((part) => part.value).map((part) => part.text)).to.deep.equal(['Meadow', 'a@b.c']);
    expect(parts.map((part) => part.text).join('')).to.equal('Meadow möchte Ihr Konto a@b.c verwenden.');
  });

  it('refuses an unknown key and a missing value', () => {
    expect(() => t('en', 'no.such')).to.throw('no message');
    expect(() => t('en', 'sign_in.to')).to.throw('client');
  });

  it('puts scopes into words and names those of the app', () => {
    const [email, custom] = scopeWords('en', ['email', 'calendar:write']);
    expect(email?.title).to.equal('See your e-mail address');
    expect(custom?.title).to.contain('calendar:write');
  });
});
