import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { Environment } from './config.ts';
import type { Fault } from './faults.ts';
import { isLoopbackHost } from './loopback.ts';
import { variableNames } from './variables.ts';

export type Environ = Readonly<Record<string, string | undefined>>;
/** The text of every variable that is set, from wherever it came. */
export type Texts = Record<string, string>;

/** Kubernetes and Docker announce a service called `latchkey` under names that look like ours. */
const SERVICE_LINK = /^LATCHKEY_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

/** The values of all our variables, from the environment, NAME_FILE and, in development, `.env`. */
export function readEnvironment(env: Environ, cwd: string): { texts: Texts; faults: Fault[] } {
  const real = fromFilesAndNames(env, cwd);
  if (environmentOf(real.texts) === 'production')
    return { texts: real.texts, faults: [...real.faults, ...unknownNames(env)] };
  const merged = withDotenv(env, cwd);
  const all = fromFilesAndNames(merged, cwd);
  const faults = [...all.faults, ...unknownNames(merged)];
  if (environmentOf(all.texts) === 'production') {
    faults.push({
      variable: '.env',
      message:
        'makes this a production deployment, where .env is not read; set the variables in the environment instead',
    });
  }
  return { texts: all.texts, faults };
}

/** LATCHKEY_ENV, or what follows from BASE_URL. Malformed values are reported elsewhere. */
export function environmentOf(texts: Texts): Environment {
  if (texts.LATCHKEY_ENV === 'development' || texts.LATCHKEY_ENV === 'production') return texts.LATCHKEY_ENV;
  if (texts.BASE_URL === undefined) return 'development';
  return URL.canParse(texts.BASE_URL) && isLoopbackHost(new URL(texts.BASE_URL).hostname)
    ? 'development'
    : 'production';
}

/** A name in the real environment wins, also over the other form of the same variable. */
function withDotenv(env: Environ, cwd: string): Environ {
  let text: string;
  try {
    text = readFileSync(join(cwd, '.env'), 'utf8');
  } catch {
    return env;
  }
  const merged: Record<string, string | undefined> = { ...env };
  for (const [name, value] of Object.entries(parseEnv(text))) {
    const plain = name.replace(/_FILE$/, '');
    if (!env[plain] && !env[`${plain}_FILE`]) merged[name] = value;
  }
  return merged;
}

function fromFilesAndNames(env: Environ, cwd: string): { texts: Texts; faults: Fault[] } {
  const texts: Texts = {};
  const faults: Fault[] = [];
  for (const name of variableNames) {
    const value = env[name]?.trim();
    const path = env[`${name}_FILE`]?.trim();
    if (value && path)
      faults.push({ variable: name, message: `is set, and ${name}_FILE too; unset one of them` });
    if (value) texts[name] = value;
    else if (path) {
      const read = readValue(path, cwd);
      if (read.value) texts[name] = read.value;
      else faults.push({ variable: `${name}_FILE`, message: `${path} ${read.problem}` });
    }
  }
  return { texts, faults };
}

function readValue(path: string, cwd: string): { value?: string; problem?: string } {
  try {
    const value = readFileSync(path.startsWith('/') ? path : join(cwd, path), 'utf8').trim();
    return value ? { value } : { problem: 'is empty' };
  } catch (error) {
    return { problem: `can not be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})` };
  }
}

function unknownNames(env: Environ): Fault[] {
  const known = new Set<string>(variableNames.flatMap((name) => [name, `${name}_FILE`]));
  return Object.entries(env)
    .filter(
      ([name, value]) =>
        name.startsWith('LATCHKEY_') &&
        !known.has(name) &&
        !SERVICE_LINK.test(name) &&
        !(name === 'LATCHKEY_PORT' && /^(tcp|udp):/.test(value ?? '')),
    )
    .map(([name]) => {
      const plain = name.slice('LATCHKEY_'.length);
      return {
        variable: name,
        message: known.has(plain) ? `is unknown; the name is ${plain}` : 'is unknown',
      };
    });
}
