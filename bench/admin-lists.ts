import { lineTo } from './http-client.ts';
import { adminHeaders, type Target } from './targets.ts';
import { need, type Workload } from './workloads.ts';

type Page = { items: { email: string }[]; next: string | null };

/** One request at a time, for what the server takes: with many it would be a queue that is measured. */
function reading(id: string, title: string, queryOf: (target: Target) => string): Workload {
  return {
    id,
    title,
    clients: 1,
    async begin(target) {
      const line = lineTo(target);
      return async () => {
        const path = `/api/v1/apps/${target.web.id}/users?${queryOf(target)}`;
        const answer = need(await line.send({ path, headers: adminHeaders }), 200);
        const { items } = JSON.parse(answer.body) as Page;
        if (items.length === 0) throw new Error(`nobody: ${path}`);
      };
    },
  };
}

const anyone = (target: Target): number => Math.floor(Math.random() * target.people);

/** Every id is made from the time, so a moment among them is a place in the list. */
function somewhere(target: Target): string {
  const ms = Date.now() - 1000 - anyone(target);
  const cursor = `usr_${ms.toString(16).padStart(12, '0')}7fffbfffffffffffffff`;
  return Buffer.from(cursor).toString('base64url');
}

export const listPeople = reading(
  'people_list',
  'Admin API: a page of 50 users',
  (target) => `after=${somewhere(target)}`,
);
/** One to six digits, so that from one to all are found. */
export const searchPeople = reading('people_search', 'Admin API: users whose address begins so', (target) => {
  const whole = String(anyone(target));
  return `q=person${whole.slice(0, 1 + Math.floor(Math.random() * whole.length))}`;
});
