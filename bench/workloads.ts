import { createHash, randomBytes } from 'node:crypto';
import { type Answer, Browser, headerOf, type Line, lineTo } from './http-client.ts';
import { type Client, emailOf, PASSWORD, REDIRECT, type Target, USERS } from './targets.ts';

/** What one of the concurrent clients does again and again. Throws when an answer is not what it has to be. */
export type Op = () => Promise<unknown>;

export type Workload = {
  id: string;
  title: string;
  /** Makes the closed loop of one client; `slot` numbers the clients. */
  begin(target: Target, slot: number): Promise<Op>;
  /** How many requests one operation takes, for the warm-up, which is counted in requests. */
  requests?: number;
  /** Instead of the plan's number of clients. */
  clients?: number;
};

/** Each of two instances gets as many clients as one has elsewhere; and so does the one that they are compared with. */
export const forTwo = (workload: Workload, clientsOfOne: number): Workload => {
  const clients = 2 * clientsOfOne;
  return { ...workload, id: `two_${workload.id}`, title: `${workload.title}, ${clients} clients`, clients };
};

/** What the endpoints answer, as far as a workload looks at it. */
type TokenAnswer = { access_token: string; refresh_token?: string; active?: boolean };

const basic = ({ id, secret }: Client): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

/** The answer's JSON, when it is 200. */
async function post(
  connection: Line,
  at: { path: string; client: Client; form: Record<string, string> },
): Promise<TokenAnswer> {
  const answer = await connection.send({
    method: 'POST',
    path: at.path,
    headers: { authorization: basic(at.client), 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(at.form).toString(),
  });
  return JSON.parse(need(answer, 200).body) as TokenAnswer;
}

export class UnexpectedAnswer extends Error {
  readonly status: number;

  constructor(answer: Answer, wanted: readonly number[]) {
    super(`wanted ${wanted.join(' or ')}, got ${answer.status}: ${answer.body.slice(0, 500)}`);
    this.status = answer.status;
  }
}

export function need(answer: Answer, ...wanted: number[]): Answer {
  if (wanted.includes(answer.status)) return answer;
  throw new UnexpectedAnswer(answer, wanted);
}

/** Where a redirect goes, as a path of the same server or as it is. */
function onward(answer: Answer): string {
  const location = headerOf(need(answer, 302, 303), 'location')!;
  return location.replace(/^http:\/\/localhost:\d{2,5}(?=\/)/, (origin) =>
    origin === new URL(REDIRECT).origin ? origin : '',
  );
}

export function clientCredentials(algorithm: 'es256' | 'rs256'): Workload {
  return {
    id: `client_credentials_${algorithm}`,
    title: `client_credentials, JWT ${algorithm.toUpperCase()}, 1 app`,
    async begin(target, _slot) {
      const connection = lineTo(target);
      const worker = target.workers[algorithm];
      return async () => {
        const form = { grant_type: 'client_credentials', scope: 'orders:read' };
        const { access_token: token } = await post(connection, { path: worker.token, client: worker, form });
        if (token.split('.').length !== 3) throw new Error('not a JWT');
      };
    },
  };
}

type Asked = { path: string; verifier: string };

export function authorization(target: Target, scope: string, more: Record<string, string> = {}): Asked {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: target.web.id,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope,
    state: 's',
    nonce: 'n',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  });
  return { path: `${target.endpoints.authorize}?${query}`, verifier };
}

async function redeem(
  connection: Line,
  target: Target,
  callback: string,
  verifier: string,
): Promise<TokenAnswer> {
  const code = new URL(callback).searchParams.get('code');
  if (!code) throw new Error(`no code in ${callback}`);
  const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier };
  return post(connection, { path: target.endpoints.token, client: target.web, form });
}

/** Each person's address; the servers measured with limits believe it because the proxy is theirs. */
let people = 0;
function newcomer(): Record<string, string> {
  people = (people + 1) % 0xffffff;
  return { 'x-forwarded-for': `10.${people >> 16}.${(people >> 8) & 255}.${people & 255}` };
}

/** Signs in through the pages, as a browser does, up to the redirect back to the client. */
export async function signIn(
  browser: Browser,
  target: Target,
  at: { path: string; user: number },
): Promise<string> {
  const headers = { ...newcomer(), 'content-type': 'application/x-www-form-urlencoded' };
  const submit = (path: string, form: Record<string, string>) =>
    browser.send({
      method: 'POST',
      path,
      headers: { ...headers, origin: `http://localhost:${target.port}` },
      body: new URLSearchParams(form).toString(),
    });
  let path = onward(await browser.send({ path: at.path, headers }));
  const prompts = target.kind === 'peer' ? ['login', 'consent'] : ['password'];
  for (const prompt of prompts) {
    const page = need(await browser.send({ path, headers }), 200);
    if (target.kind === 'peer') {
      const form = { prompt, login: `person${at.user}`, password: PASSWORD };
      path = onward(await submit(path, form));
    } else {
      const hidden = fieldsOf(page.body, '/password');
      path = onward(
        await submit(`${path}/password`, { ...hidden, email: emailOf(at.user), password: PASSWORD }),
      );
    }
    // Back to the endpoint where it began, or to the client at once.
    if (path.startsWith('/')) path = onward(await browser.send({ path, headers }));
  }
  return path;
}

function fieldsOf(html: string, ending: string): Record<string, string> {
  const form = [...html.matchAll(/<form\b[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g)].find(
    ([, action]) => action!.endsWith(ending),
  );
  if (!form) throw new Error(`no form for ${ending}: ${html.slice(0, 500)}`);
  const inputs = [...form[2]!.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
    /name="([^"]*)"/.exec(input)?.[1] ?? '',
    /value="([^"]*)"/.exec(input)?.[1] ?? '',
  ]);
  return Object.fromEntries(inputs) as Record<string, string>;
}

/** The person of a client: far from one another where there are many. */
const personOf = (target: Target, slot: number): number =>
  ((slot % USERS) * Math.floor(target.people / USERS) + Math.floor(slot / USERS)) % target.people;

/** A browser that is signed in, and the tokens it led to. */
async function signedIn(target: Target, slot: number, scope: string) {
  const connection = lineTo(target);
  const browser = new Browser(connection);
  const offline = scope.includes('offline_access') && target.kind === 'peer' ? { prompt: 'consent' } : {};
  const { path, verifier } = authorization(target, scope, offline as Record<string, string>);
  const callback = await signIn(browser, target, { path, user: personOf(target, slot) });
  return { connection, browser, tokens: await redeem(connection, target, callback, verifier) };
}

export const codeWithSession: Workload = {
  id: 'code_with_session',
  title: 'code + PKCE with a session, then token',
  requests: 2,
  async begin(target, slot) {
    const { connection, browser } = await signedIn(target, slot, 'openid email');
    return async () => {
      const { path, verifier } = authorization(target, 'openid email');
      const callback = onward(await browser.send({ path }));
      await redeem(connection, target, callback, verifier);
    };
  },
};

const signInWorkload = (id: string, title: string, scope: string): Workload => ({
  id,
  title,
  requests: 6,
  async begin(target, slot) {
    const connection = lineTo(target);
    const browser = new Browser(connection);
    return async () => {
      // The browser was here before: its device is known, its session is over.
      browser.forgetBut(/^lk_dev\./);
      const { path, verifier } = authorization(target, scope);
      // Of many, anyone: few would stay in the database's memory. Nobody twice at the same moment.
      const user = target.people > USERS ? Math.floor(Math.random() * target.people) : slot % USERS;
      const callback = await signIn(browser, target, { path, user });
      return redeem(connection, target, callback, verifier);
    };
  },
});

export const signInWithoutHash = signInWorkload(
  'sign_in_without_hash',
  'sign-in in the browser, then token (hash left out)',
  'openid email',
);
export const signInByPassword = signInWorkload(
  'sign_in_by_password',
  'password sign-in, end to end, then token',
  'openid email',
);

export const refresh: Workload = {
  id: 'refresh',
  title: 'refresh with rotation',
  async begin(target, slot) {
    const { connection, tokens } = await signedIn(target, slot, 'openid email offline_access');
    let current = tokens.refresh_token;
    if (!current) throw new Error('no refresh token');
    return async () => {
      const form = { grant_type: 'refresh_token', refresh_token: current! };
      const next = await post(connection, { path: target.endpoints.token, client: target.web, form });
      if (next.refresh_token === current) throw new Error('not rotated');
      current = next.refresh_token;
    };
  },
};

/** The token that each person was given first is known; what followed is remembered. */
export async function refreshAnyone(
  target: Target,
  slot: number,
  firstOf: (person: number) => string,
): Promise<Op> {
  const connection = lineTo(target);
  const latest = new Map<number, string>();
  return async () => {
    // Nobody is two clients' at the same moment; the first person signed in through the pages.
    const person =
      1 + slot + USERS * Math.floor(Math.random() * Math.floor((target.people - 1 - slot) / USERS));
    const form = { grant_type: 'refresh_token', refresh_token: latest.get(person) ?? firstOf(person) };
    const next = await post(connection, { path: target.endpoints.token, client: target.web, form });
    if (!next.refresh_token || next.refresh_token === form.refresh_token) throw new Error('not rotated');
    latest.set(person, next.refresh_token);
  };
}

export const introspect: Workload = {
  id: 'introspect',
  title: 'introspection',
  async begin(target, slot) {
    const { connection, tokens } = await signedIn(target, slot, 'openid email');
    return async () => {
      const form = { token: tokens.access_token };
      const body = await post(connection, { path: target.endpoints.introspect, client: target.web, form });
      if (body.active !== true) throw new Error(`not active: ${JSON.stringify(body)}`);
    };
  },
};

export const userinfo: Workload = {
  id: 'userinfo',
  title: 'userinfo',
  async begin(target, slot) {
    const { connection, tokens } = await signedIn(target, slot, 'openid email');
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    return async () => {
      const answer = need(await connection.send({ path: target.endpoints.userinfo, headers }), 200);
      if (!JSON.parse(answer.body).email) throw new Error(`no email: ${answer.body}`);
    };
  },
};

export type AppWorker = Client & { token: string };

/** One token after another at many apps. `next`: whose turn it is. */
export function manyApps(at: { id: string; title: string; next: (target: Target) => AppWorker }): Workload {
  return {
    id: at.id,
    title: at.title,
    async begin(target) {
      const connection = lineTo(target);
      return async () => {
        const worker = at.next(target);
        const form = { grant_type: 'client_credentials', scope: 'orders:read' };
        await post(connection, { path: worker.token, client: worker, form });
      };
    },
  };
}

export const roundRobin = (apps: readonly AppWorker[]): (() => AppWorker) => {
  let at = 0;
  return () => apps[at++ % apps.length]!;
};

/** Few apps have most of the traffic: the k-th most popular is asked for in proportion to 1/k. */
export function zipf(apps: readonly AppWorker[]): () => AppWorker {
  const sums: number[] = [];
  let sum = 0;
  for (let k = 1; k <= apps.length; k += 1) sums.push((sum += 1 / k));
  return () => {
    const wanted = Math.random() * sum;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return apps[low]!;
  };
}

/** A person after another signs in in a new browser and gets a refresh token. */
export function offlineSignIn(target: Target): (user: number) => Promise<unknown> {
  return async (user) => {
    const { connection } = await signedIn(target, user, 'openid email offline_access');
    connection.close();
  };
}
