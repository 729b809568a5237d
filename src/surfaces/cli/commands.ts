import { backup } from './backup.ts';
import { checkConfig } from './check-config.ts';
import type { Command } from './command.ts';
import { healthcheck } from './healthcheck.ts';
import { isolationVerify } from './isolation-verify.ts';
import { keysList } from './keys-list.ts';
import { keysReseal } from './keys-reseal.ts';
import { keysRotate } from './keys-rotate.ts';
import { migrate } from './migrate.ts';
import { move } from './move.ts';
import { restore } from './restore.ts';
import { start } from './start.ts';

/** Every command, in the order of `latchkey --help`. A new one is a file and a line here. */
export const commands: readonly Command[] = [
  start,
  migrate,
  checkConfig,
  healthcheck,
  keysList,
  keysRotate,
  keysReseal,
  backup,
  restore,
  move,
  isolationVerify,
];
