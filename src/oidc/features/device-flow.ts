import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import type { App, AppSnapshot, Client } from '../../apps/app.ts';
import { clientAddress } from '../../http/client-address.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import { seal, unseal } from '../../kernel/secret.ts';
import { typedCode } from '../device/narrowed-code.ts';
import { shownUserCode, userCodeForm } from '../device/user-code.ts';
import { type IssuerKind, issuerUrl, protocolRoutes } from '../issuers.ts';
import type { ProtocolPages } from '../pages.ts';
import type { Feature } from './feature.ts';

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

type Deps = {
  snapshot: AppSnapshot;
  appId: string;
  issuer: IssuerKind;
  baseUrl: string;
  pages: ProtocolPages;
};

/** Where the device stood when it asked, as it is shown to whoever confirms. */
export type DeviceAskedFrom = { address: string; userAgent: string; at: string };

/** Both have to say so: the app, and the client, which is a native one. */
export const mayUseDevices = (app: App, client: Client): boolean =>
  app.settings.features.device_authorization && client.settings.device_authorization;

/** Device authorization (RFC 8628). */
export function deviceFlow(deps: Deps): Feature<'deviceFlow'> {
  const { snapshot, pages } = deps;
  return {
    deviceFlow: {
      enabled: snapshot.app.settings.features.device_authorization,
      ...userCodeForm,
      deviceInfo: (ctx) => ({
        address: clientAddress(ctx),
        userAgent: ctx.get('user-agent').slice(0, 300),
        at: new Date().toISOString(),
      }),
      userCodeInputSource: (ctx, form, _out, error) => showEntry(deps, ctx, { form, error }),
      // A person confirms after signing in, on a page of its own (see sign-in/device); this one is never shown.
      userCodeConfirmSource: (ctx) => showEntry(deps, ctx, { form: '', error: undefined }),
      successSource: (ctx) => pages.deviceDone(ctx, snapshot.app),
    },
  };
}

/** What the library calls a code that does not work. All of them look the same: a stranger learns nothing (RFC 8628 §5.1). */
const BAD_CODE = new Set(['NotFoundError', 'ExpiredError', 'AlreadyUsedError', 'NoCodeError']);

function showEntry(
  deps: Deps,
  ctx: KoaContextWithOIDC,
  { form, error }: { form: string; error: Error | undefined },
): void {
  const { pages, snapshot, appId } = deps;
  const { app } = snapshot;
  const code = error && 'error' in error ? error.error : undefined;
  if (error?.name === 'AbortedError') return pages.deviceDenied(ctx, app);
  const isTyping = ctx.oidc.route === 'code_verification';
  if (
    error &&
    !BAD_CODE.has(error.name) &&
    !(isTyping && (code === 'slow_down' || code === 'invalid_request'))
  )
    return pages.problem(ctx, { app, error: isTyping ? String(code) : 'expired', status: 400 });
  if (error) ctx.status = code === 'slow_down' ? 429 : 400;
  pages.deviceEntry(ctx, {
    app,
    action: issuerUrl(deps.baseUrl, appId, deps.issuer) + protocolRoutes.code_verification,
    xsrf: /name="xsrf" value="([^"]+)"/.exec(form)?.[1] ?? '',
    userCode: typedCode(ctx.req) ?? '',
    problem: !error
      ? undefined
      : BAD_CODE.has(error.name)
        ? 'code'
        : code === 'slow_down'
          ? 'limited'
          : 'form',
  });
}

const sealedAt = (appId: string) => ({ appId, table: 'ephemeral', row: 'device', column: 'prompt' });

export type DevicePrompt = { userCode: string; askedFrom: DeviceAskedFrom };

/** After signing in and before consent: the person says that it is their device that shows this code. */
export function deviceConfirmation(appId: string, rootKeys: RootKeys): interactionPolicy.Prompt {
  const { Check, Prompt } = interactionPolicy;
  return new Prompt(
    { name: 'device', requestable: false },
    new Check(
      'device_unconfirmed',
      'the person has not confirmed the device',
      'interaction_required',
      (ctx) => ctx.oidc.deviceCode !== undefined && ctx.oidc.result?.['device'] === undefined,
      (ctx) => {
        const { userCode, deviceInfo } = ctx.oidc.deviceCode ?? {};
        const shown = { userCode: shownUserCode(userCode ?? ''), askedFrom: deviceInfo };
        return Promise.resolve({ device: seal(rootKeys, sealedAt(appId), JSON.stringify(shown)) });
      },
    ),
  );
}

/** What the confirmation page shows of the device that waits. */
export function devicePromptOf(
  appId: string,
  rootKeys: RootKeys,
  details: Record<string, unknown>,
): DevicePrompt | undefined {
  const { device } = details;
  return typeof device === 'string'
    ? (JSON.parse(unseal(rootKeys, sealedAt(appId), device)) as DevicePrompt)
    : undefined;
}

/** RFC 8628 §3.2: said, though it is what clients assume. */
export function tellInterval(body: { interval?: number }): void {
  body.interval = 5;
}
