import { setTimeout as sleep } from 'node:timers/promises';
import type { Drill, Stage } from './drill.ts';
import { byTotp } from './flows.ts';
import type { Instance } from './instance.ts';

const skewedClock = new URL('skewed-clock.mjs', import.meta.url).href;

/** SIGTERM, and a new one in its place. */
async function restart(
  instance: Instance,
  more: Parameters<Instance['start']>[0] = {},
): Promise<number | null> {
  const code = await instance.stop();
  await instance.start(more);
  return code;
}

/** With the code of an authenticator app, by this instance. Its owner signs in nowhere else. */
async function signInByApp({ world, sender, must }: Stage, instance: Instance): Promise<void> {
  world.balancer.setTargets([instance.port]);
  const signedIn = await byTotp(sender, world.careful[0]!);
  world.balancer.setTargets(world.instances.map(({ port }) => port));
  must(signedIn !== undefined, 'the code of an authenticator app was refused by a wrong clock');
}

export const processDrills: readonly Drill[] = [
  {
    number: 9,
    name: 'Rolling restart',
    does: 'SIGTERM to one instance, a new one in its place, then the other, again and again',
    isSmooth: true,
    async fault({ world, faultMs, must, scene, note }) {
      const begunAt = scene.history.now();
      let restarts = 0;
      do {
        for (const instance of world.instances) {
          const code = await restart(instance);
          must(code === 0, `an instance that was told to stop ended with ${code}`);
          restarts += 1;
          await sleep(300);
        }
      } while (scene.history.now() - begunAt < faultMs);
      note(`${restarts} restarts, ${world.balancer.turnedAway} connections that another instance took`);
    },
  },
  {
    number: 10,
    name: 'SIGKILL',
    does: 'one instance is killed with its requests in hand, then the other, each started again',
    leave: { lost: true, doubleMail: true },
    async fault({ world, faultMs, note }) {
      for (const instance of world.instances) {
        await instance.kill();
        await sleep(faultMs / 4);
        await instance.start();
        await sleep(500);
      }
      note(`${world.balancer.lost} requests got no answer`);
    },
  },
  {
    number: 11,
    name: 'The clock of one instance is wrong',
    does: 'one instance runs two minutes ahead, then two minutes behind, then its clock is right again',
    isSmooth: true,
    async fault(stage) {
      const { world, faultMs, scene, since, must } = stage;
      const [, second] = world.instances;
      const begunAt = scene.history.now();
      for (const seconds of [120, -120]) {
        await restart(second, {
          execArgv: ['--import', skewedClock],
          env: { DRILL_CLOCK_SKEW: String(seconds) },
        });
        await signInByApp(stage, second);
        await sleep(faultMs);
      }
      await restart(second);
      // A sign-in may have to begin anew (410). No proof is refused, and nothing that was given is worth less.
      const refused = since(begunAt).filter(({ isUnmet, status }) => isUnmet && status !== 410);
      const whats = [...new Set(refused.map(({ what, said }) => `${what} ${said.slice(0, 80)}`))];
      must(
        refused.length === 0,
        `${refused.length} refused by a wrong clock: ${whats.slice(0, 5).join('; ')}`,
      );
    },
  },
];
