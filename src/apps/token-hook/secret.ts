import { randomBytes } from 'node:crypto';
import { type RootKeys, seal, unseal } from '../../kernel/secret.ts';

type Column = 'secret' | 'previous_secret';
const at = (appId: string, column: Column) => ({ appId, table: 'token_hooks', row: appId, column });

/** 256 random bits, as Standard Webhooks writes secrets. */
export const newHookSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

export const sealHookSecret = (keys: RootKeys, appId: string, column: Column, value: string): string =>
  seal(keys, at(appId, column), value);

export const openHookSecret = (keys: RootKeys, appId: string, column: Column, envelope: string): string =>
  unseal(keys, at(appId, column), envelope);
