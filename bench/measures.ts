import { availableParallelism } from 'node:os';
import { connect } from 'node:net';
import { fastestArgon2 } from '../src/sign-in/passwords/argon2.ts';
import { median } from './sample.ts';
import type { Target } from './targets.ts';
import { offlineSignIn } from './workloads.ts';

/** Sign-ins measured, as a part of what the cores could do if a sign-in were one hash and 6 ms (design §8). */
export async function capacityOfPasswords(perSecond: readonly number[]): Promise<Record<string, number>> {
  const argon2 = await fastestArgon2();
  await argon2.hash('warm');
  const before = process.cpuUsage();
  const count = 20;
  for (let at = 0; at < count; at += 1) await argon2.hash(`password ${at}`);
  const used = process.cpuUsage(before);
  const hashMs = (used.user + used.system) / 1000 / count;
  const capacity = (availableParallelism() * 1000) / (hashMs + 6);
  return { hash_cpu_ms: hashMs, password_capacity: median(perSecond) / capacity };
}

/** What Redis holds more after so many people have signed in and got tokens, for each, in kB. */
export async function redisBytesPerUser(url: string, target: Target): Promise<number> {
  const count = 200;
  const once = offlineSignIn(target);
  await once(0);
  const before = await usedMemory(url);
  for (let user = 0; user < count; user += 1) await once(user);
  return ((await usedMemory(url)) - before) / count / 1000;
}

function usedMemory(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write('INFO memory\r\n'));
    let text = '';
    socket.once('error', reject);
    socket.on('data', (data) => {
      text += data.toString();
      const found = /used_memory_dataset:(\d+)/.exec(text)?.[1];
      if (found === undefined) return;
      socket.destroy();
      resolve(Number(found));
    });
  });
}
