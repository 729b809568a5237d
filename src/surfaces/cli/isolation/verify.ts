import type { Route } from '../../../http/route-table.ts';
import { accountRule } from './account-rule.ts';
import { adminRule } from './admin-rule.ts';
import type { Attempt, Rule, World } from './attempt.ts';
import { type Send, sender, type SendOptions } from './call.ts';
import { type Control, controls, pushAnew, trustControls } from './controls.ts';
import { doorRule } from './door-rule.ts';
import { digitsControl, mailDigits } from './email-code.ts';
import { faultIn, secretsOf } from './judge.ts';
import { makeSide } from './make-side.ts';
import { type Entry, openEntry } from './optional.ts';
import { exempt, openRule } from './open-rule.ts';
import { pageRule } from './page-rule.ts';
import { registrationRule } from './registration-rule.ts';
import { type Admin, beginSignIn, type IssuerKind, random, type Side, type Stage } from './side.ts';
import { changes, type Probe, stateOverAdminApi } from './state.ts';

export type VerifyOptions = SendOptions & {
  baseUrl: string;
  adminKey: string;
  /** Everything that the program answers. */
  routes: readonly Route[];
  /** How many there are, when `routes` are not all of them. */
  all?: number | undefined;
  mailbox?: Stage['mailbox'];
  /** How the state of both apps is seen; without it: as the Admin API shows it. */
  probe?: Probe | undefined;
  /** Ends at the first fault: for mutations. */
  isQuick?: boolean | undefined;
};

export type Leak = { route: string; credential: string; how: string; why: string; request: string };

export type Report = {
  apps: string[];
  attempts: number;
  leaks: Leak[];
  uncovered_routes: string[];
  /** What worked where it belongs afterwards; what does not makes the attempts with it worthless. */
  controls: Control[];
  routes: { route: string; attempts: number }[];
  exempt_routes: { route: string; why: string }[];
  skipped: { what: string; why: string }[];
  duration_ms: number;
};

const RULES: readonly Rule[] = [doorRule, registrationRule, accountRule, pageRule, adminRule, openRule];

export const isSound = ({ leaks, uncovered_routes, controls: checked, attempts }: Report): boolean =>
  attempts > 0 && leaks.length === 0 && uncovered_routes.length === 0 && checked.every(({ works }) => works);

/** Makes two apps, tries to cross from one to the other at every route, and deletes them, whatever happens. */
export async function verifyIsolation(options: VerifyOptions): Promise<Report> {
  const { baseUrl, adminKey } = options;
  const send = sender(options);
  const stage: Stage = { baseUrl, send, admin: adminOf(send, options), mailbox: options.mailbox };
  const tag = random()
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')
    .slice(0, 10);
  const apps = [`isolation-a-${tag}`, `isolation-b-${tag}`] as const;
  const startedAt = performance.now();
  try {
    const world = await makeWorld(stage, { apps, adminKey, isSpread: options.from !== undefined, tag });
    const report = await run(stage, world, options);
    return { ...report, duration_ms: Math.round(performance.now() - startedAt) };
  } finally {
    // The caller's signal has ended what it ended; the apps must go in any case.
    const afterwards = adminOf(sender({ ...options, signal: undefined }), options);
    for (const app of apps) await afterwards('DELETE', `/apps/${app}?confirm=${app}`).catch(() => {});
  }
}

async function makeWorld(
  stage: Stage,
  at: { apps: readonly [string, string]; tag: string; adminKey: string; isSpread: boolean },
): Promise<World> {
  const email = `both-${at.tag}@example.com`;
  const [a, b] = [await makeSide(stage, at.apps[0], email), await makeSide(stage, at.apps[1], email)];
  // What is held in memory of either app is read anew, now that there is another one to be mixed up with.
  for (const { appId } of [a, b])
    await stage.admin('PATCH', `/apps/${appId}`, { name: `App ${appId} again` });
  const intruder = await beginSignIn(stage, b);
  // So that the code that A was shown meets a link that waits for one.
  if (stage.mailbox)
    await intruder.browser.ask(`${stage.baseUrl}/auth/${b.appId}/interaction/${intruder.uid}/magic-link`, {
      csrf: intruder.csrf,
      email,
    });
  return {
    baseUrl: stage.baseUrl,
    adminKey: at.adminKey,
    isSpread: at.isSpread,
    a,
    b,
    intruder,
    entries: [],
    digits: undefined,
  };
}

async function run(stage: Stage, world: World, options: VerifyOptions): Promise<Omit<Report, 'duration_ms'>> {
  const { routes, isQuick } = options;
  const state = await steady(stage, world, options.probe);
  const found = {
    leaks: [] as Leak[],
    uncovered_routes: [] as string[],
    routes: [] as Report['routes'],
    exempt_routes: [] as Report['exempt_routes'],
    controls: [] as Control[],
  };
  const judged = { secrets: { a: secretsOf(world.a), b: secretsOf(world.b) }, world, send: stage.send };
  for (const route of routes) {
    if (isQuick && found.leaks.length > 0) break;
    const name = `${route.method} ${route.path}`;
    const why = exempt.find(({ path }) => path.test(route.path))?.why;
    if (why !== undefined) {
      found.exempt_routes.push({ route: name, why });
      continue;
    }
    const isPushing = route.path.endsWith('/authorize');
    if (isPushing) found.leaks.push(...(await state.look()));
    const isTyping = route.path.endsWith('/email-code/code') && stage.mailbox !== undefined;
    if (isTyping) found.leaks.push(...(await state.look()));
    world.digits = isTyping ? await mailDigits(stage, world) : undefined;
    const after = isPushing
      ? await pushAnew(stage, world.a, 'a')
      : world.digits && digitsControl(world.a, world.digits.a);
    if (name.startsWith('POST ') && name.endsWith('/device'))
      world.entries = await openEntries(stage, world.b, route.path.startsWith('/auth/') ? 'own' : 'shared');
    const attempts = RULES.map((rule) => rule(world, route)).find((made) => made !== undefined) ?? [];
    if (after) await state.forgive();
    if (attempts.length === 0) found.uncovered_routes.push(name);
    found.routes.push({ route: name, attempts: attempts.length });
    for (const attempt of attempts) found.leaks.push(...(await tryOne(attempt, judged)));
    state.tried(name, attempts.length);
    if (options.probe || route.method !== 'GET' || after) found.leaks.push(...(await state.look()));
    if (after) {
      found.controls.push(...(await after()));
      await state.forgive();
    }
  }
  found.leaks.push(...(await state.look()));
  return {
    apps: [world.a.appId, world.b.appId],
    attempts: found.routes.reduce((sum, { attempts }) => sum + attempts, 0),
    ...found,
    controls: [
      ...found.controls,
      ...(isQuick && found.leaks.length > 0 ? [] : await everyControl(stage, world)),
    ],
    skipped: skippedIn(world, options),
  };
}

/** One for each issuer that a code may be of. */
const openEntries = async (stage: Stage, side: Side, issuer: IssuerKind): Promise<Entry[]> => [
  await openEntry(stage, side, issuer),
  await openEntry(stage, side, issuer),
];

const everyControl = async (stage: Stage, { a, b }: World): Promise<Control[]> => [
  ...(await controls(stage, a, 'a')),
  ...(await controls(stage, b, 'b')),
  ...(await trustControls(stage, { a, b })),
];

type Judged = { secrets: Record<'a' | 'b', string[]>; world: World; send: Send };

async function tryOne(attempt: Attempt, { secrets, world, send }: Judged): Promise<Leak[]> {
  const { route, credential, how, request } = attempt;
  const why = faultIn(attempt, await send(request), secrets);
  if (why === undefined) return [];
  const lines = [
    `${request.method} ${request.url}`,
    ...Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`),
    ...(request.body === undefined ? [] : ['', request.body]),
  ];
  const hidden = [world.adminKey, ...secrets.a, ...secrets.b];
  return [
    {
      route: `${route.method} ${route.path}`,
      credential,
      how,
      why,
      request: redacted(lines.join('\n'), hidden),
    },
  ];
}

/** Encoded as forms and Basic encode them, too. */
function redacted(text: string, secrets: readonly string[]): string {
  const plain = text.replaceAll(/Basic [A-Za-z0-9+/=]+/g, 'Basic ‹redacted›');
  return secrets.reduce(
    (rest, secret) =>
      rest.replaceAll(secret, '‹redacted›').replaceAll(encodeURIComponent(secret), '‹redacted›'),
    plain,
  );
}

/**
 * The state of both apps, from the moment when nothing moves any more. `look` says what the routes tried since the last
 * look have changed; `forgive` takes what there is now for what there ought to be.
 */
async function steady({ admin }: Stage, { a, b }: World, probe: Probe | undefined) {
  const see = probe ?? stateOverAdminApi(admin);
  const now = () => see([a, b]);
  let before = await now();
  let tried: { name: string; attempts: number }[] = [];
  const changed = async (): Promise<string[]> => {
    const after = await now();
    const names = changes(before, after);
    before = after;
    return names;
  };
  for (let tries = 0; tries < 20; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    if ((await changed()).length === 0) break;
  }
  return {
    tried: (name: string, attempts: number): void => void tried.push({ name, attempts }),
    async forgive(): Promise<void> {
      await changed();
      tried = [];
    },
    async look(): Promise<Leak[]> {
      if (tried.length === 0) return [];
      const [those, names] = [tried, await changed()];
      tried = [];
      if (names.length === 0) return [];
      const attempts = those.reduce((sum, one) => sum + one.attempts, 0);
      const why = `changed ${names.join(', ')}`;
      const route = those.map(({ name }) => name).join(', ');
      return [{ route, credential: 'any', how: `one of ${attempts} attempts`, why, request: '' }];
    },
  };
}

function skippedIn(
  { a, isSpread }: World,
  { routes, all = routes.length }: VerifyOptions,
): Report['skipped'] {
  const skipped: Report['skipped'] = [];
  if (routes.length < all)
    skipped.push({ what: `${all - routes.length} of ${all} routes`, why: 'not asked for, see --only' });
  if (!a.mailed)
    skipped.push({
      what: 'magic link, mailed codes, recovery link, sign-up link, invitation, links to new and old addresses',
      why: 'mail can be read in the development inbox only',
    });
  if (!isSpread)
    skipped.push({
      what: 'every kind of bearer at every operation of the Admin API',
      why: 'failures are limited per network: each operation was tried with one kind',
    });
  return skipped;
}

function adminOf(send: Send, { baseUrl, adminKey }: Pick<VerifyOptions, 'baseUrl' | 'adminKey'>): Admin {
  return async (method, path, body, headers) => {
    const { status, text, json } = await send({
      method,
      url: `${baseUrl}/api/v1${path}`,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (status < 200 || status > 299)
      throw new Error(`Admin API: ${method} ${path}: ${status} ${text.slice(0, 300)}`);
    return json ?? {};
  };
}

export type { Side };
