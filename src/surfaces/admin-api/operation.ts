import type { z } from 'zod';
import type { Queryable } from '../../storage/database.ts';
import type { Author } from '../../events/author.ts';

export type Scope =
  | 'apps:read'
  | 'apps:write'
  | 'users:read'
  | 'users:write'
  | 'keys:read'
  | 'keys:write'
  | 'audit:read';

/** Where an operation reads. */
export type Reads = { ofApp(appId: string): Queryable; ofEveryApp: Queryable };

export type Call<Params, Query, Body> = {
  params: Params;
  query: Query;
  body: Body;
  by: Author;
  /** The primary, but for what `mayLag`. */
  reads: Reads;
};

type Schema<T> = z.ZodType<T>;

/** One route, declared once: what is accepted, what is answered, and what happens. OpenAPI and validation both follow from it. */
export type OperationSpec<Params, Query, Body> = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v1, as OpenAPI writes it: `/apps/{app_id}`. */
  path: string;
  /** `listUsers`: the name in generated clients. */
  id: string;
  tag: string;
  summary: string;
  /** What an operator's token must carry. */
  scope: Scope;
  /** A value that does not fit is answered 404: no such thing can exist. */
  params?: Schema<Params>;
  query?: Schema<Query>;
  body?: Schema<Body>;
  /** Instead of `body`: a file by itself; `body` of the call is then its bytes. */
  file?: { type: string; maxBytes: number };
  /** Without a schema: 204. */
  response?: { status: 200 | 201; schema: z.ZodType };
  /** Codes beyond those that every operation has. */
  problems?: readonly number[];
  /** A body for the documentation. */
  example?: Record<string, unknown>;
  /** A list that may show how it was some seconds ago: `reads` leads to the replica, where there is one. */
  mayLag?: (query: Query) => boolean;
  handle(call: Call<Params, Query, Body>): Promise<unknown>;
};

export type Operation = OperationSpec<unknown, unknown, unknown>;

/** Forgets the types of one operation, so that all of them go into one list. */
export function operation<Params = unknown, Query = unknown, Body = undefined>(
  spec: OperationSpec<Params, Query, Body>,
): Operation {
  return spec as unknown as Operation;
}
