import { Browser, formOf } from './browser.ts';
import { basic, FORM, type Json } from './call.ts';
import { assertion, dpopProof, provingKey } from './proofs.ts';
import {
  type IssuerKind,
  issuerUrl,
  type Optional,
  type OptionalHeld,
  redemption,
  type Side,
  silentCode,
  type Stage,
} from './side.ts';

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** What is off by default, switched on in both apps: every credential it knows is to be tried alive. */
export const optionalFeatures = { device_authorization: true, token_exchange: true, dpop: true };

type Known = Pick<Side, 'appId' | 'redirectUri' | 'first' | 'browser' | 'held'>;

export async function makeOptional(stage: Stage, side: Known): Promise<Optional> {
  const key = provingKey();
  const make = (client: object) => stage.admin('POST', `/apps/${side.appId}/clients`, client);
  const device = await make({
    name: 'Screen',
    type: 'native',
    redirect_uris: ['http://127.0.0.1/callback'],
    settings: { device_authorization: true },
  });
  const gateway = await make({
    name: 'Gateway',
    type: 'service',
    settings: { token_exchange: { audiences: [side.appId], delegate: true } },
  });
  const jwks = { keys: [{ ...key.publicJwk, kid: 'prover', use: 'sig', alg: 'ES256' }] };
  const prover = await make({
    name: 'Prover',
    type: 'service',
    settings: { token_endpoint_auth_method: 'private_key_jwt', jwks },
  });
  const made = {
    key,
    device: String(device['client_id']),
    gateway: { clientId: String(gateway['client_id']), secret: String(gateway['client_secret']) },
    prover: String(prover['client_id']),
  };
  return {
    ...made,
    held: {
      own: await holdMore(stage, side, made, 'own'),
      shared: await holdMore(stage, side, made, 'shared'),
    },
  };
}

async function holdMore(
  stage: Stage,
  side: Known,
  { key, device, gateway }: Omit<Optional, 'held'>,
  issuer: IssuerKind,
): Promise<OptionalHeld> {
  const url = issuerUrl(stage.baseUrl, side.appId, issuer);
  const asked = await post(stage, `${url}/device_authorization`, { client_id: device, scope: 'openid' });
  const exchanged = await post(stage, `${url}/token`, exchangeOf(side.held[issuer].tokens.access_token), {
    authorization: basic(gateway.clientId, gateway.secret),
  });
  const code = redemption(side, await silentCode(stage, side, issuer));
  const bound = await post(stage, `${url}/token`, code, {
    authorization: basic(side.first.clientId, side.first.secret),
    dpop: dpopProof(key, { method: 'POST', url: `${url}/token` }),
  });
  return {
    deviceCode: String(asked['device_code']),
    userCode: String(asked['user_code']),
    exchanged: String(exchanged['access_token']),
    bound: String(bound['access_token']),
  };
}

async function post(
  { send }: Stage,
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Json> {
  const body = new URLSearchParams(form).toString();
  const { status, json, text } = await send({
    method: 'POST',
    url,
    headers: { 'content-type': FORM, ...headers },
    body,
  });
  if (status !== 200) throw new Error(`${url} answered ${status} ${text.slice(0, 300)}`);
  return json!;
}

export const exchangeOf = (token: string): Record<string, string> => ({
  grant_type: EXCHANGE_GRANT,
  subject_token: token,
  subject_token_type: ACCESS_TOKEN,
});

/** The form where a code is typed, as a browser of its own is given it: each is good for one answer. */
export type Entry = { cookie: string; fields: Record<string, string> };

export async function openEntry(
  { send, baseUrl }: Stage,
  { appId }: Pick<Side, 'appId'>,
  issuer: IssuerKind,
): Promise<Entry> {
  const browser = new Browser(send, baseUrl);
  const page = await browser.ask(`${issuerUrl(baseUrl, appId, issuer)}/device?client_id=${appId}`);
  const { fields } = formOf(page, '/device');
  return {
    cookie: browser
      .cookies()
      .map(({ name, value }) => `${name}=${value}`)
      .join('; '),
    fields,
  };
}

/** What shows that all this was alive at its own app. */
export function optionalControls(stage: Stage, side: Side): [string, () => Promise<unknown>][] {
  const { optional } = side;
  return (['own', 'shared'] as const).flatMap((issuer): [string, () => Promise<unknown>][] => {
    const url = issuerUrl(stage.baseUrl, side.appId, issuer);
    const { deviceCode, userCode, exchanged, bound } = optional.held[issuer];
    const asFirst = { authorization: basic(side.first.clientId, side.first.secret) };
    return [
      [
        `device code (${issuer})`,
        () => expectPending(stage, url, { device_code: deviceCode, client_id: optional.device }),
      ],
      [`user code (${issuer})`, () => expectSignIn(stage, side, issuer, userCode)],
      [
        `exchanged token (${issuer})`,
        async () => {
          const { active } = await post(stage, `${url}/introspect`, { token: exchanged }, asFirst);
          if (active !== true) throw new Error('introspection calls it inactive');
        },
      ],
      [`DPoP-bound token (${issuer})`, () => expectProved(stage, side, { url, bound })],
      [
        `client assertion (${issuer})`,
        () =>
          post(stage, `${url}/token`, {
            grant_type: 'client_credentials',
            ...assertion(optional.key, { clientId: optional.prover, audience: url }),
          }),
      ],
    ];
  });
}

async function expectPending({ send }: Stage, url: string, form: Record<string, string>): Promise<void> {
  const { json } = await send({
    method: 'POST',
    url: `${url}/token`,
    headers: { 'content-type': FORM },
    body: new URLSearchParams({ grant_type: DEVICE_GRANT, ...form }).toString(),
  });
  if (json?.['error'] !== 'authorization_pending' && json?.['error'] !== 'slow_down')
    throw new Error(`the token endpoint answered ${JSON.stringify(json)}`);
}

async function expectSignIn(stage: Stage, side: Side, issuer: IssuerKind, userCode: string): Promise<void> {
  const { cookie, fields } = await openEntry(stage, side, issuer);
  const { status, location } = await stage.send({
    method: 'POST',
    url: `${issuerUrl(stage.baseUrl, side.appId, issuer)}/device`,
    headers: { 'content-type': FORM, cookie, origin: new URL(stage.baseUrl).origin },
    body: new URLSearchParams({ ...fields, user_code: userCode }).toString(),
  });
  if (!location?.includes('/interaction/')) throw new Error(`the code was answered ${status}`);
}

async function expectProved(stage: Stage, side: Side, at: { url: string; bound: string }): Promise<void> {
  const url = `${at.url}/userinfo`;
  const { json, status } = await stage.send({
    method: 'GET',
    url,
    headers: {
      authorization: `DPoP ${at.bound}`,
      dpop: dpopProof(side.optional.key, { method: 'GET', url, token: at.bound }),
    },
  });
  if (json?.['sub'] !== side.user.userId) throw new Error(`userinfo answered ${status}`);
}
