import type { Browser, BrowserContext, Page } from 'playwright-core';
import { newContext, within } from '../support/browser.ts';
import { faultsOf, type Look, LOOKS, weigh } from './look.ts';

const MAX_BYTES = 60_000;

/** Where something can be done next: a page without it leaves people standing. */
const WAYS_ON = `document.querySelectorAll('main a[href], main button[type=submit]').length`;
/** What scripts would have made of the page. */
const TRACES_OF_SCRIPTS = `document.querySelectorAll('.with-toggle.ready, form.passkey:not([hidden])').length`;

const ALERTS = `document.querySelectorAll('main [role=alert]:not([hidden])').length`;

/** Pictures of errors differ from those without by one line: they are looked at in one look. */
const GLANCE: readonly Look[] = LOOKS.slice(0, 1);

/**
 * People whose browsers run no script of the pages. Playwright's own switch would stop axe, too, so that it is the
 * browser's that is used here, and turned back for the moment of looking.
 */
export class PlainVisitors {
  readonly faults: string[] = [];
  readonly #browser: Browser;
  readonly #origin: string;
  readonly #contexts: BrowserContext[] = [];
  readonly #switches = new Map<Page, (isOff: boolean) => Promise<unknown>>();

  constructor(browser: Browser, origin: string) {
    this.#browser = browser;
    this.#origin = origin;
  }

  async visitor(): Promise<Page> {
    const context = await newContext(this.#browser, { reducedMotion: 'reduce' });
    this.#contexts.push(context);
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    const command = 'Emulation.setScriptExecutionDisabled';
    const switchOff = (value: boolean) => within(command, session.send(command, { value }));
    await switchOff(true);
    this.#switches.set(page, switchOff);
    return page;
  }

  /** Looks at the page in each look; what is wrong with it is kept among the faults. */
  async see(page: Page, name: string, looks: readonly Look[] = LOOKS): Promise<void> {
    const switchOff = this.#switches.get(page)!;
    await switchOff(false);
    const traces = Number(await within(name, page.evaluate(TRACES_OF_SCRIPTS)));
    if (traces > 0) this.faults.push(`${name}: scripts have run`);
    if (Number(await within(name, page.evaluate(WAYS_ON))) === 0) this.faults.push(`${name}: no way on`);
    if (Number(await within(name, page.evaluate(ALERTS))) > 1) this.faults.push(`${name}: told twice`);
    this.faults.push(...(await faultsOf(page, `plain-${name}`, looks)));
    const { bytes, foreign } = await weigh(page, this.#origin);
    if (bytes > MAX_BYTES) this.faults.push(`${name} weighs ${bytes} bytes`);
    this.faults.push(...foreign.map((url) => `${name} loads ${url}`));
    await switchOff(true);
  }

  /** The same in one look, of a page that is seen in all of them in another state. */
  async glance(page: Page, name: string): Promise<void> {
    await this.see(page, name, GLANCE);
  }

  async leave(): Promise<void> {
    this.#switches.clear();
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
  }
}
