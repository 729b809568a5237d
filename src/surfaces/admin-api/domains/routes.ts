import { claimDomain } from '../../../apps/domains/claim.ts';
import type { DomainRow } from '../../../apps/domains/domain.ts';
import { domainsOf } from '../../../apps/domains/operator-store.ts';
import { presentDomain } from '../../../apps/domains/present.ts';
import { removeDomain } from '../../../apps/domains/remove.ts';
import { changeOldIssuers } from '../../../apps/domains/transition.ts';
import { verifyDomain } from '../../../apps/domains/verify.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { requireApp } from '../apps/require-app.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { appParams } from '../params.ts';
import { claimBody, domainWire, removalQuery, transitionBody } from './wire.ts';

const tag = 'Custom domains';
const path = '/apps/{app_id}/domain';
const response = { status: 200 as const, schema: domainWire };

export function domainOperations(deps: AdminApiDeps): Operation[] {
  return [reading(deps), claiming(deps), verification(deps), transition(deps), removal(deps)];
}

const present = (deps: AdminApiDeps, appId: string, rows: DomainRow[]) =>
  presentDomain(rows, { appId, baseUrl: deps.baseUrl });

const reading = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path,
    id: 'getAppDomain',
    tag,
    summary: 'Read the domain of an app, and the one that waits for its proof',
    scope: 'apps:read',
    params: appParams,
    response,
    async handle({ params }) {
      await requireApp(deps, params.app_id);
      return present(deps, params.app_id, await domainsOf(everyApp(deps.operatorDb), params.app_id));
    },
  });

const claiming = (deps: AdminApiDeps) =>
  operation({
    method: 'PUT',
    path,
    id: 'setAppDomain',
    tag,
    summary: 'Name the domain an app shall be served at; it is not before the domain is proved',
    scope: 'apps:write',
    params: appParams,
    body: claimBody,
    response,
    problems: [409],
    example: { domain: 'id.wolf-banana.example' },
    async handle({ params, body, by }) {
      const { domain, old_issuers: oldIssuers } = body;
      return present(
        deps,
        params.app_id,
        await claimDomain(deps, { appId: params.app_id, by, domain, oldIssuers }),
      );
    },
  });

const verification = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: `${path}/verify`,
    id: 'verifyAppDomain',
    tag,
    summary: 'Look for the TXT record; where it is there, the app is served at its domain from now on',
    scope: 'apps:write',
    params: appParams,
    response,
    problems: [409, 503],
    handle: async ({ params, by }) =>
      present(deps, params.app_id, await verifyDomain(deps, { appId: params.app_id, by })),
  });

const transition = (deps: AdminApiDeps) =>
  operation({
    method: 'PATCH',
    path,
    id: 'changeDomainTransition',
    tag,
    summary: 'Say what the issuers of before still do; ended is for good',
    scope: 'apps:write',
    params: appParams,
    body: transitionBody,
    response,
    problems: [409],
    example: { old_issuers: 'ended' },
    handle: async ({ params, body, by }) =>
      present(
        deps,
        params.app_id,
        await changeOldIssuers(deps, { appId: params.app_id, by, oldIssuers: body.old_issuers }),
      ),
  });

const removal = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path,
    id: 'removeAppDomain',
    tag,
    summary: 'Take the domain away: the app is served at BASE_URL again, at once',
    scope: 'apps:write',
    params: appParams,
    query: removalQuery,
    handle: ({ params, query, by }) =>
      removeDomain(deps, { appId: params.app_id, by, confirm: query.confirm }),
  });
