import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { showDeadLinks } from '../../sign-in/dead-links.ts';
import { whereHashed } from '../../sign-in/passwords/hash-door.ts';
import { showActivity } from './activity.ts';
import { deleteAccount, download, showData } from './data.ts';
import { endAccess, showApps } from './apps.ts';
import type { AccountDeps } from './deps.ts';
import { addPasskey, nameAnew, removePasskey, showNewPasskey, showPasskeys } from './passkeys.ts';
import { endOne, endOthers, showSessions } from './sessions.ts';
import { askForChange, cancelChange, confirmChange, showIdentifiers, typeCode } from './identifiers.ts';
import { onMailedLink, openChange, refuseChange, showUndo, undoChange } from './mailed-links.ts';
import { changePassword, removePassword, showPassword } from './password.ts';
import { renewCodes, showFactors, switchTotpOff } from './factors.ts';
import { showTotpSetup, switchTotpOn } from './totp.ts';
import { forgetDevice, renameDevice } from './trusted-devices.ts';
import { saveProfile, showProfile } from './profile.ts';
import { accountPages, comeBack, firstPage, goBack, onAccount, onRecentAccount } from './visit.ts';

// GET  /auth/{app_id}/account                            → the first page
// GET  /auth/{app_id}/account/signed-in                  ← from the authorization endpoint
// GET  /auth/{app_id}/account/{page}/prove               signs in anew, if that was long ago, and comes back
// GET  /auth/{app_id}/account/profile                    what the person's applications are told
// POST /auth/{app_id}/account/profile
// GET  /auth/{app_id}/account/identifiers                the address, and the one that is to take its place
// POST /auth/{app_id}/account/identifiers                {email}
// POST /auth/{app_id}/account/identifiers/code           {code}: shown where the mail to the new address was opened
// POST /auth/{app_id}/account/identifiers/cancel
// GET  /auth/{app_id}/account/identifiers/confirm/{secret}   ← the mail to the new address; spends nothing
// POST /auth/{app_id}/account/identifiers/confirm/{secret}
// POST /auth/{app_id}/account/identifiers/confirm/{secret}/refuse   "it was not me"
// GET  /auth/{app_id}/account/identifiers/undo/{secret}      ← the mail to the old address; spends nothing
// POST /auth/{app_id}/account/identifiers/undo/{secret}
// GET  /auth/{app_id}/account/password
// POST /auth/{app_id}/account/password                   {current_password, new_password}
// POST /auth/{app_id}/account/password/remove
// GET  /auth/{app_id}/account/passkeys                   what signs the person in
// GET  /auth/{app_id}/account/passkeys/new               what the browser needs to make one
// POST /auth/{app_id}/account/passkeys/new               {credential}
// POST /auth/{app_id}/account/passkeys/{passkey_id}/rename {name}
// POST /auth/{app_id}/account/passkeys/{passkey_id}/remove
// GET  /auth/{app_id}/account/factors                    what is asked beside that
// GET  /auth/{app_id}/account/factors/totp               QR code and secret
// POST /auth/{app_id}/account/factors/totp               {code} switches it on, or puts it in the place of another one
// POST /auth/{app_id}/account/factors/totp/remove
// POST /auth/{app_id}/account/factors/recovery-codes     makes them anew and shows them
// POST /auth/{app_id}/account/factors/devices/{device_id}/rename {name}
// POST /auth/{app_id}/account/factors/devices/{device_id}/forget
// GET  /auth/{app_id}/account/sessions                   where the person is signed in
// POST /auth/{app_id}/account/sessions/{session_id}/end
// POST /auth/{app_id}/account/sessions/end-others
// GET  /auth/{app_id}/account/apps                       which applications have access
// POST /auth/{app_id}/account/apps/{client_id}/end
// GET  /auth/{app_id}/account/activity                   what happened, in plain words
// GET  /auth/{app_id}/account/data
// POST /auth/{app_id}/account/data/download              everything that is known of the person, as JSON
// POST /auth/{app_id}/account/data/delete                {confirm}: the address, typed
export function accountRoutes(deps: AccountDeps): Middleware {
  const router = new Router({ sensitive: true, prefix: '/auth/:app_id/account' });
  router.use((ctx, next) => showDeadLinks(deps, ctx as unknown as Context, next));
  router.get(
    '/',
    onAccount(deps, firstPage, (visit) => goBack(visit, firstPage)),
  );
  for (const page of accountPages)
    router.get(
      `/${page}/prove`,
      onRecentAccount(deps, page, (visit) => goBack(visit, page)),
    );
  router.get('/signed-in', (ctx) => comeBack(deps, ctx as unknown as Context));
  router.get('/profile', onAccount(deps, 'profile', showProfile));
  router.post('/profile', onAccount(deps, 'profile', saveProfile));
  mountIdentifiers(router, deps);
  router.get(
    '/password',
    onAccount(deps, 'password', (visit) => showPassword(visit)),
  );
  router.post('/password', whereHashed(deps, onRecentAccount(deps, 'password', changePassword)));
  router.post('/password/remove', onRecentAccount(deps, 'password', removePassword));
  router.get(
    '/passkeys',
    onAccount(deps, 'passkeys', (visit) => showPasskeys(visit)),
  );
  router.get(
    '/passkeys/new',
    onRecentAccount(deps, 'passkeys', (visit) => showNewPasskey(visit)),
  );
  router.post('/passkeys/new', onRecentAccount(deps, 'passkeys', addPasskey));
  router.post('/passkeys/:passkey_id/rename', onAccount(deps, 'passkeys', nameAnew));
  router.post('/passkeys/:passkey_id/remove', onRecentAccount(deps, 'passkeys', removePasskey));
  mountFactors(router, deps);
  router.get('/sessions', onAccount(deps, 'sessions', showSessions));
  router.post('/sessions/end-others', onRecentAccount(deps, 'sessions', endOthers));
  router.post('/sessions/:session_id/end', onRecentAccount(deps, 'sessions', endOne));
  router.get('/apps', onAccount(deps, 'apps', showApps));
  router.post('/apps/:client_id/end', onRecentAccount(deps, 'apps', endAccess));
  router.get('/activity', onAccount(deps, 'activity', showActivity));
  router.get(
    '/data',
    onAccount(deps, 'data', (visit) => showData(visit)),
  );
  router.post('/data/download', onRecentAccount(deps, 'data', download));
  router.post('/data/delete', onRecentAccount(deps, 'data', deleteAccount));
  return router.routes() as unknown as Middleware;
}

function mountIdentifiers(router: Router, deps: AccountDeps): void {
  router.get(
    '/identifiers',
    onAccount(deps, 'identifiers', (visit) => showIdentifiers(visit)),
  );
  router.post('/identifiers', onRecentAccount(deps, 'identifiers', askForChange));
  router.post('/identifiers/code', onAccount(deps, 'identifiers', typeCode));
  router.post('/identifiers/cancel', onAccount(deps, 'identifiers', cancelChange));
  router.get('/identifiers/confirm/:secret', onMailedLink(deps, openChange));
  router.post('/identifiers/confirm/:secret', onAccount(deps, 'identifiers', confirmChange));
  router.post('/identifiers/confirm/:secret/refuse', onMailedLink(deps, refuseChange));
  router.get('/identifiers/undo/:secret', onMailedLink(deps, showUndo));
  router.post('/identifiers/undo/:secret', onMailedLink(deps, undoChange));
}

function mountFactors(router: Router, deps: AccountDeps): void {
  const at = '/factors';
  router.get(
    at,
    onAccount(deps, 'factors', (visit) => showFactors(visit)),
  );
  router.get(
    `${at}/totp`,
    onRecentAccount(deps, 'factors', (visit) => showTotpSetup(visit)),
  );
  router.post(`${at}/totp`, onRecentAccount(deps, 'factors', switchTotpOn));
  router.post(`${at}/totp/remove`, onRecentAccount(deps, 'factors', switchTotpOff));
  router.post(`${at}/recovery-codes`, onRecentAccount(deps, 'factors', renewCodes));
  router.post(`${at}/devices/:device_id/rename`, onAccount(deps, 'factors', renameDevice));
  router.post(`${at}/devices/:device_id/forget`, onAccount(deps, 'factors', forgetDevice));
}
