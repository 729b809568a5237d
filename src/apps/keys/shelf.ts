import type { Queryable } from '../../storage/database.ts';
import type { GeneratedKey } from './generate.ts';

/** A key as operators see it, never with its private half. `active` and `retired` as of now, by the store's clock. */
export type KeyStateRow = {
  key_id: string;
  algorithm: string;
  public_jwk: Record<string, unknown>;
  created_at: Date;
  active_at: Date;
  retires_at: Date | null;
  retired_at: Date | null;
  compromised_at: Date | null;
  active: boolean;
  retired: boolean;
};

/** The keys of one owner: an app, or the deployment. Every time is set by the store. */
export type KeyShelf = {
  /** Newest first, the retired ones at the end. */
  list(q: Queryable): Promise<KeyStateRow[]>;
  insert(tx: Queryable, key: GeneratedKey, leadSeconds: number): Promise<void>;
  /** Signs from now on. */
  activate(tx: Queryable, keyId: string): Promise<void>;
  /** Leaves the published set so many seconds after `by` began to sign. */
  supersede(tx: Queryable, keyId: string, by: string, afterSeconds: number): Promise<void>;
  /** Out at once, private half and all. */
  withdraw(tx: Queryable, keyId: string): Promise<void>;
  /** Removes a key that never signed. */
  remove(tx: Queryable, keyId: string): Promise<void>;
};
