import { type AppSnapshot, needsConsent } from '../apps/app.ts';
import { protocolRoutes } from './issuers.ts';

/**
 * The library drops `offline_access` unless `prompt=consent` came with it (OIDC Core §11). A first-party client is
 * trusted by the operator instead of by a page, so its request is completed with the prompt, which its policy then
 * answers without a page. Returns the query to use, with its question mark.
 */
export function offlineAccessQuery(path: string, querystring: string, snapshot: AppSnapshot): string {
  if (querystring === '') return '';
  const unchanged = `?${querystring}`;
  if (path !== protocolRoutes.authorization) return unchanged;
  const query = new URLSearchParams(querystring);
  const client = snapshot.clients.get(query.get('client_id') ?? '');
  if (
    !client ||
    needsConsent(snapshot.app, client) ||
    query.getAll('scope').length !== 1 ||
    query.getAll('prompt').length > 1
  )
    return unchanged;
  const prompts = (query.get('prompt') ?? '').split(' ').filter(Boolean);
  if (
    !query.get('scope')!.split(' ').includes('offline_access') ||
    prompts.includes('consent') ||
    prompts.includes('none')
  )
    return unchanged;
  query.set('prompt', [...prompts, 'consent'].join(' '));
  return `?${query}`;
}
