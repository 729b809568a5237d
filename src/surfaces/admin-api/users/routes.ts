import { z } from 'zod';
import { type Queryable, scoped } from '../../../storage/database.ts';
import { createUser } from '../../../users/create-user.ts';
import { deleteUser } from '../../../users/delete-user.ts';
import { normalizeEmail } from '../../../users/email.ts';
import { userNotFound } from '../../../users/errors.ts';
import { presentUser } from '../../../users/present.ts';
import { listUsers, userByEmail, userById, usersByEmailPrefix } from '../../../users/store.ts';
import { updateUser } from '../../../users/update-user.ts';
import { requirePasswordBy } from '../../../sign-in/passwords/new-password.ts';
import { takeOver } from '../../../sign-in/passwords/foreign/take-over.ts';
import { requireApp } from '../apps/require-app.ts';
import type { AdminApiDeps } from '../deps.ts';
import { invalidValue } from '../errors.ts';
import { type Operation, operation } from '../operation.ts';
import { pageFields, pageOf, pageOfSchema, window } from '../paging.ts';
import { appParams, userParams } from '../params.ts';
import { newUserSchema, userChangeSchema, userWire } from './wire.ts';

const tag = 'Users';

export function userOperations(deps: AdminApiDeps): Operation[] {
  return [listing(deps), creation(deps), reading(deps), change(deps), deletion(deps)];
}

const listQuery = z.strictObject({
  ...pageFields,
  email: z.string().max(320).optional().meta({ description: 'Exactly this address, in whatever spelling.' }),
  q: z.string().min(1).max(254).optional().meta({ description: 'Addresses that begin with this.' }),
});

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/users',
    id: 'listUsers',
    tag,
    summary: 'List users, newest first; or find them by e-mail address',
    scope: 'users:read',
    params: appParams,
    query: listQuery,
    response: { status: 200, schema: pageOfSchema(userWire) },
    // An address is looked up to decide something with it, such as whether to make an account.
    mayLag: ({ email }) => email === undefined,
    async handle({ params: { app_id: appId }, query, reads }) {
      if (query.email !== undefined && query.q !== undefined)
        throw invalidValue('q', 'can not be combined with email');
      // At once: of an app that is not there, nobody is found.
      const [page] = await Promise.all([usersFor(reads.ofApp(appId), appId, query), requireApp(deps, appId)]);
      return page;
    },
  });

async function usersFor(q: Queryable, appId: string, query: z.output<typeof listQuery>) {
  if (query.email !== undefined) {
    const email = normalizeEmail(query.email);
    const user = email === undefined ? undefined : await userByEmail(q, appId, email);
    return { items: user ? [presentUser(user)] : [], next: null };
  }
  if (query.q !== undefined) {
    const prefix = query.q.normalize('NFKC').toLowerCase().trim();
    const users = await usersByEmailPrefix(q, appId, { prefix, ...window(query) });
    return pageOf(users, query, { cursor: (user) => user.email, present: presentUser });
  }
  return pageOf(await listUsers(q, appId, window(query)), query, {
    cursor: (user) => user.userId,
    present: presentUser,
  });
}

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: '/apps/{app_id}/users',
    id: 'createUser',
    tag,
    summary: 'Create a user, with a password or an invitation by mail',
    scope: 'users:write',
    params: appParams,
    body: newUserSchema,
    response: { status: 201, schema: userWire },
    problems: [409],
    example: { email: 'ada@example.com', profile: { name: 'Ada Lovelace' }, send_invitation: true },
    async handle({ params, body, by }) {
      const app = await requireApp(deps, params.app_id);
      if (body.password !== undefined && body.password_hash !== undefined)
        throw invalidValue('password_hash', 'can not be combined with password');
      const passwordHash = body.password_hash && (await takeOver(body.password_hash, deps.hashPassword));
      const user = await createUser(deps, {
        appId: app.appId,
        email: body.email,
        emailVerified: body.email_verified,
        password: body.password,
        passwordHash,
        phone: body.phone,
        profile: body.profile,
        metadata: body.metadata,
        locale: body.locale,
        sendInvitation: body.send_invitation,
        requirePassword: requirePasswordBy({ ...deps, app }),
        by,
      });
      return presentUser(user);
    },
  });

const reading = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/users/{user_id}',
    id: 'getUser',
    tag,
    summary: 'Read a user',
    scope: 'users:read',
    params: userParams,
    response: { status: 200, schema: userWire },
    async handle({ params }) {
      const { appId } = await requireApp(deps, params.app_id);
      const user = await userById(scoped(deps.db, appId), appId, params.user_id);
      if (!user) throw userNotFound();
      return presentUser(user);
    },
  });

const change = (deps: AdminApiDeps) =>
  operation({
    method: 'PATCH',
    path: '/apps/{app_id}/users/{user_id}',
    id: 'updateUser',
    tag,
    summary: 'Change, disable or enable a user',
    scope: 'users:write',
    params: userParams,
    body: userChangeSchema,
    response: { status: 200, schema: userWire },
    problems: [409],
    example: { disabled: true },
    async handle({ params, body, by }) {
      const app = await requireApp(deps, params.app_id);
      const { email_verified: emailVerified, ...rest } = body;
      return presentUser(
        await updateUser(deps, {
          appId: app.appId,
          userId: params.user_id,
          change: { ...rest, emailVerified },
          requirePassword: requirePasswordBy({ ...deps, app }),
          by,
        }),
      );
    },
  });

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: '/apps/{app_id}/users/{user_id}',
    id: 'deleteUser',
    tag,
    summary: 'Delete a user with everything kept about the person',
    scope: 'users:write',
    params: userParams,
    async handle({ params, by }) {
      const { appId } = await requireApp(deps, params.app_id);
      await deleteUser(deps, { appId, userId: params.user_id, by });
    },
  });
