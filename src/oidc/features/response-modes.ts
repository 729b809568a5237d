import type { Client as OidcClient, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AppSnapshot } from '../../apps/app.ts';

type Judging = Pick<OidcClient, 'responseModeAllowed'>;

/** `form_post` answers in the body of a POST that the browser's page sends; an app may do without such pages. */
export function narrowResponseModes(provider: Provider, { app }: AppSnapshot): void {
  if (app.settings.features.form_post) return;
  const prototype = provider.Client.prototype as Judging;
  const stock = prototype.responseModeAllowed;
  prototype.responseModeAllowed = function allowed(this: OidcClient, mode, type, profile) {
    return !mode.startsWith('form_post') && stock.call(this, mode, type, profile);
  };
}

/** The library's list of response modes is fixed. */
export function listResponseModes(ctx: KoaContextWithOIDC, { app }: AppSnapshot): void {
  if (ctx.oidc?.route !== 'discovery' || app.settings.features.form_post) return;
  const document = ctx.body as { response_modes_supported: string[] };
  document.response_modes_supported = document.response_modes_supported.filter(
    (mode) => !mode.startsWith('form_post'),
  );
}
