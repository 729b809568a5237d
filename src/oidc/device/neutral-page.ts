import type { Context } from 'koa';
import { clientAddress } from '../../http/client-address.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import { issuerUrl, protocolRoutes } from '../issuers.ts';
import type { ProtocolPages } from '../pages.ts';
import { mayTryUserCode } from './tries.ts';
import { normalUserCode, routeOfUserCode, shownUserCode, userCodeMac } from './user-code.ts';

export type NeutralPageDeps = {
  baseUrl: string;
  ephemeral: EphemeralStore;
  rootKeys: RootKeys;
  pages: ProtocolPages;
};

/** The deployment's own page for a code that came from who knows which app: it leads to that app's page, and does nothing else. */
export async function neutralDevicePage(
  ctx: Context,
  deps: NeutralPageDeps,
  typed: string | null | undefined,
): Promise<void> {
  const userCode = normalUserCode(typed ?? '').slice(0, 16);
  const show = (problem: 'code' | 'limited' | undefined, status: number): void => {
    ctx.status = status;
    const action = deps.baseUrl + protocolRoutes.code_verification;
    const shown = userCode && shownUserCode(userCode);
    deps.pages.deviceEntry(ctx, { app: undefined, action, xsrf: '', userCode: shown, problem });
  };
  if (ctx.method !== 'POST') return show(undefined, 200);
  if (!(await mayTryUserCode(deps.ephemeral, { address: clientAddress(ctx) }))) return show('limited', 429);
  const route = await routeOfUserCode(deps.ephemeral, userCodeMac(deps.rootKeys, userCode));
  if (!route) return show('code', 400);
  const page = new URL(issuerUrl(deps.baseUrl, route.appId, route.issuer) + protocolRoutes.code_verification);
  page.search = new URLSearchParams({
    client_id: route.appId,
    user_code: shownUserCode(userCode),
  }).toString();
  ctx.redirect(page.href);
  ctx.status = 303;
}
