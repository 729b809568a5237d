import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import type { AppSettings } from '../apps/app.ts';
import { acr, reachableAcrs, twoFactorsAsked } from './authentication-context.ts';

/** What `prompt` may say (OIDC Core §3.1.2.1; Initiating User Registration 1.0 for `create`). */
export const promptValues = ['none', 'login', 'consent', 'select_account', 'create'] as const;

const { Check, Prompt } = interactionPolicy;

/** Both are answered by the sign-in pages, once in a request, whoever is signed in. */
export function askForAccounts(policy: interactionPolicy.DefaultPolicy): void {
  const login = policy.get('login')!;
  for (const name of ['select_account', 'create'] as const) {
    const prompt = new Prompt({ name, requestable: true });
    prompt.checks.clear();
    policy.add(prompt);
    login.checks.add(
      new Check(name, 'the person has to choose an account', 'account_selection_required', (ctx) => {
        const { prompts, result } = ctx.oidc as KoaContextWithOIDC['oidc'];
        return prompts.has(name) && !result?.login;
      }),
    );
  }
}

type AcrRequest = { value?: unknown; values?: unknown[] };

/**
 * An essential `acr` that nobody can reach, or that this sign-in has not reached, is an error of its own (OpenID Connect
 * Core Error Code unmet_authentication_requirements 1.0); asking the person again would go round in circles.
 */
export function refuseUnmetAcr(policy: interactionPolicy.DefaultPolicy, settings: AppSettings): void {
  const reachable = reachableAcrs(settings);
  for (const reason of ['essential_acrs', 'essential_acr'] as const) {
    const check = policy.get('login')!.checks.get(reason)!;
    const stock = check.check;
    check.check = async (ctx) => {
      const missing = await stock(ctx);
      if (!missing) return missing;
      const { value, values } = ctx.oidc.claims['id_token']!['acr'] as AcrRequest;
      const wanted = values ?? [value];
      if (ctx.oidc.result?.login || !wanted.some((one) => reachable.includes(String(one))))
        throw new errors.UnmetAuthenticationRequirements('the requested acr can not be reached');
      return missing;
    };
  }
}

/** Reasons to ask that a second factor alone answers, where the session is that of a first one. */
export const stepUpReasons: ReadonlySet<string> = new Set(['essential_acr', 'essential_acrs', 'acr_values']);

/**
 * `acr_values` asks for two factors without insisting (OIDC Core §3.1.2.1): whoever has a second one shows it, and
 * everybody else goes on with what they have.
 */
export function askForSecondFactor(
  policy: interactionPolicy.DefaultPolicy,
  hasSecondFactor: (userId: string) => Promise<boolean>,
): void {
  policy.get('login')!.checks.add(
    new Check('acr_values', 'a second factor is asked for', 'login_required', async (ctx) => {
      const { params, prompts, result, session } = ctx.oidc as KoaContextWithOIDC['oidc'];
      if (result?.login || !session?.accountId || prompts.has('none')) return false;
      if (twoFactorsAsked(params ?? {}) !== 'voluntary' || session.acr === acr.twoFactors) return false;
      return hasSecondFactor(session.accountId);
    }),
  );
}
