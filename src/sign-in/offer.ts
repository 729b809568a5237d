import * as offered from './methods.ts';
import { lastMethod } from './last-method.ts';
import type { Method, SignInFault } from './method.ts';
import { sentence, show } from './page.ts';
import { interactionPath, type Step } from './step.ts';

export const methods: readonly Method[] = Object.values(offered);

/** The sign-in page with every method that the app offers; `fault` says what was wrong with the last try. */
export function showSignIn(step: Step, fault?: SignInFault): void {
  const { ctx, deps, appId, interaction } = step;
  const at = interactionPath(step);
  show(
    step,
    'sign-in/sign-in',
    {
      ...nothingOffered,
      ...everythingOffered(step),
      email: fault?.email ?? hintOf(interaction.params.login_hint),
      cancel_action: `${at}/cancel`,
      client_name: interaction.client.name,
      last_method: lastMethod(ctx, deps.config, appId),
      problem: fault ? sentence(ctx, fault.key, fault.values) : null,
      problem_field: fault?.field ?? null,
      notice: null,
    },
    fault ? 400 : 200,
  );
}

const nothingOffered = {
  action: null,
  show_password: false,
  show_magic_link: false,
  magic_link_action: null,
  email_code_action: null,
  passkey_action: null,
  sign_up_url: null,
  forgot_url: null,
};

function everythingOffered(step: Step): Record<string, unknown> {
  const at = interactionPath(step);
  const { settings } = step.snapshot.app;
  return Object.assign(
    {},
    ...methods
      .filter((method) => method.isOffered(settings))
      .map((method) => method.offer(at, settings, step)),
  );
}

/** Where an account is made, if the app lets people do that. */
export function signUpUrl(step: Step): string | undefined {
  const { sign_up_url: url } = everythingOffered(step);
  return typeof url === 'string' ? url : undefined;
}

/** `login_hint` fills in the address (OIDC Core §3.1.2.1); anything else it may hold is left out. */
function hintOf(hint: unknown): string {
  return typeof hint === 'string' && hint.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(hint) ? hint : '';
}
