import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { reachableAcrs } from './authentication-context.ts';

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
export function refuseUnmetAcr(policy: interactionPolicy.DefaultPolicy): void {
  for (const reason of ['essential_acrs', 'essential_acr'] as const) {
    const check = policy.get('login')!.checks.get(reason)!;
    const stock = check.check;
    check.check = async (ctx) => {
      const missing = await stock(ctx);
      if (!missing) return missing;
      const { value, values } = ctx.oidc.claims['id_token']!['acr'] as AcrRequest;
      const wanted = values ?? [value];
      if (ctx.oidc.result?.login || !wanted.some((one) => reachableAcrs.includes(String(one))))
        throw new errors.UnmetAuthenticationRequirements('the requested acr can not be reached');
      return missing;
    };
  }
}
