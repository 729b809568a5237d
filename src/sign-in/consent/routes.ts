import type Router from '@koa/router';
import { allScopeNames } from '../../apps/apis/api.ts';
import { scopeWords, t } from '../../http/messages.ts';
import { localeOf } from '../../http/page.ts';
import { scoped } from '../../storage/database.ts';
import { userById } from '../../users/store.ts';
import type { Interaction } from '../../oidc/interaction.ts';
import type { SignInDeps } from '../deps.ts';
import { show } from '../page.ts';
import { interactionPath, onStep, type Step } from '../step.ts';
import { decideConsent, scopesInWords } from './decide.ts';

// POST …/consent {decision: allow|deny} → back to the app; the page itself is the interaction's GET
export function mountConsent(router: Router, deps: SignInDeps): void {
  router.post('/auth/:app_id/interaction/:uid/consent', onStep(deps, 'consent', decide));
}

async function decide(step: Step): Promise<void> {
  const { decision } = step.form;
  // Anything but one of the two buttons decides nothing.
  if (decision !== 'allow' && decision !== 'deny') return showConsent(step);
  await decideConsent(step, decision);
}

/** Scopes of our own in the person's language, those of an API in the words of whoever registered it. */
function wordsFor({ ctx, interaction, snapshot }: Step): { name: string; title: string; detail: string }[] {
  const locale = localeOf(ctx);
  const ofApis = allScopeNames(snapshot.apis);
  const own = scopesInWords(interaction).filter((scope) => !ofApis.has(scope));
  const theirs = interaction.resources.flatMap(({ api, scopes }) => {
    if (!api) return [];
    const named = (name: string, title: string) => ({
      name,
      title: title || t(locale, 'scope.custom.title', { name }),
      detail: `${api.name} (${name})`,
    });
    const known = api.scopes.filter((scope) => scopes.includes(scope.name));
    return known.length
      ? known.map((scope) => named(scope.name, scope.description))
      : [{ ...named(api.name, ''), detail: '' }];
  });
  return [...scopeWords(locale, own), ...theirs];
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** For a client that came by itself: what is known of it beyond the name it chose, which can be anyone's. */
function introductionOf({ client, params }: Interaction) {
  if (!client.registered) return null;
  const to = new URL(String(params['redirect_uri']));
  const isWeb = /^https?:$/.test(to.protocol) && !LOOPBACK.has(to.hostname);
  return {
    published_at: client.registered === 'document' ? new URL(client.clientId).host : null,
    leads_to: isWeb ? to.host : null,
  };
}

/** What the client asks for, in words. */
export async function showConsent(step: Step): Promise<void> {
  const { deps, appId, interaction, snapshot } = step;
  const { signedInUserId } = interaction;
  const user =
    signedInUserId === undefined ? undefined : await userById(scoped(deps.db, appId), appId, signedInUserId);
  show(step, 'consent/consent', {
    action: `${interactionPath(step)}/consent`,
    client_name: interaction.client.name,
    introduced: introductionOf(interaction),
    user_email: user?.email ?? '',
    scopes: wordsFor(step),
    privacy_url: snapshot.app.settings.privacy_url,
    terms_url: snapshot.app.settings.terms_url,
  });
}
