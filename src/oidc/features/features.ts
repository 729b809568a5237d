import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { App, AppSnapshot, Client } from '../../apps/app.ts';
import type { AdapterDeps } from '../adapters/adapter-deps.ts';
import { ASSERTION_UNDER_WAY } from '../client-authentication.ts';
import { protocolRoutes } from '../issuers.ts';
import { knownAcrs } from '../authentication-context.ts';
import { promptValues } from '../requested-prompts.ts';
import { allowOfflineAccess } from '../offline-access.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { claimsParameter } from './claims-parameter.ts';
import { acceptProofsOnce, dpop, dpopMetadata, proofAlgorithms } from './dpop.ts';
import { pushedRequestMetadata, pushedRequests, tellLifetime } from './pushed-requests.ts';
import { requestObjectAlgorithms, requestObjectMetadata, requestObjects } from './request-objects.ts';
import { fapi, strict } from './fapi.ts';
import { listResponseModes, narrowResponseModes } from './response-modes.ts';
import { signedResponses } from './signed-responses.ts';

type Algorithms = NonNullable<Configuration['enabledJWA']>;

/** What an app may switch on or off, each in a file of its own; these are their lines in the places they touch. */
export const protocolFeatures = ({ snapshot, rootKeys }: AdapterDeps) => ({
  ...pushedRequests(snapshot),
  ...dpop(snapshot, rootKeys),
  ...requestObjects(snapshot),
  ...signedResponses(snapshot),
  ...claimsParameter(snapshot),
  ...fapi(snapshot),
});

/** `ours`: of the keys that sign for this issuer. */
export const featureAlgorithms = (
  snapshot: AppSnapshot,
  ours: NonNullable<Algorithms['authorizationSigningAlgValues']>,
): Algorithms => ({
  dPoPSigningAlgValues: proofAlgorithms,
  requestObjectSigningAlgValues: strict(snapshot, requestObjectAlgorithms),
  authorizationSigningAlgValues: ours,
  introspectionSigningAlgValues: ours,
});

export const featureMetadata = (app: App, client: Client): object => ({
  ...pushedRequestMetadata(app, client),
  ...dpopMetadata(client),
  ...requestObjectMetadata(client),
});

/** Where the library's own rules are wider, or narrower, than ours. */
export function narrowFeatures(provider: Provider, deps: AdapterDeps): void {
  allowOfflineAccess(provider, deps.snapshot);
  narrowResponseModes(provider, deps.snapshot);
  acceptProofsOnce(provider, deps, (id) => unitOfWork().memo.get(ASSERTION_UNDER_WAY) === id);
}

/** On the answer the library has ready. */
export function completeFeatures(ctx: KoaContextWithOIDC, snapshot: AppSnapshot): void {
  tellLifetime(ctx, snapshot.app.settings);
  listResponseModes(ctx, snapshot);
  if (ctx.oidc?.route === 'discovery')
    Object.assign(ctx.body as object, { prompt_values_supported: promptValues });
}

/** What any app may use of all this at the shared issuer. */
export const featureDiscovery = (at: (path: string) => string, ours: readonly string[]): object => ({
  pushed_authorization_request_endpoint: at(protocolRoutes.pushed_authorization_request),
  dpop_signing_alg_values_supported: proofAlgorithms,
  request_object_signing_alg_values_supported: requestObjectAlgorithms,
  authorization_signing_alg_values_supported: ours,
  introspection_signing_alg_values_supported: ours,
  response_modes_supported: [
    'query',
    'fragment',
    'form_post',
    'jwt',
    'query.jwt',
    'fragment.jwt',
    'form_post.jwt',
  ],
  acr_values_supported: knownAcrs,
  prompt_values_supported: promptValues,
  claims_parameter_supported: true,
  request_parameter_supported: true,
  request_uri_parameter_supported: false,
});
