import { listPeople, searchPeople } from './admin-lists.ts';
import { peopleAre } from './bars.ts';
import { startWithPeople } from './own-database.ts';
import type { Bench } from './main.ts';
import { plan } from './plan.ts';
import type { Results, roundsOf } from './rounds.ts';
import { median } from './sample.ts';
import { refresh, signInWithoutHash, userinfo, type Workload } from './workloads.ts';

/** The same with other people in the table: a workload of its own in the table. */
export const amongPeople = (workload: Workload): Workload => ({
  ...workload,
  id: `people_${workload.id}`,
  title: `${workload.title}, among people`,
});

/** A thousand people in the table against a million (design §8); lists and search there. */
export async function peopleRounds(
  bench: Bench,
  { rounds, results }: { rounds: ReturnType<typeof roundsOf>; results: Results },
): Promise<Record<string, number>> {
  bench.say(`filling a table with ${plan.people} people`);
  const targets = [await startWithPeople(bench, 1000), await startWithPeople(bench, plan.people)];
  for (const workload of [signInWithoutHash, refresh, userinfo]) await rounds(amongPeople(workload), targets);
  await rounds(listPeople, targets);
  await rounds(searchPeople, targets);
  const p99Of = (workload: Workload): number[] =>
    (results.get(workload.id)?.get(peopleAre(1_000_000)) ?? []).map(({ p99 }) => p99);
  const measured: Record<string, number> = {};
  for (const [id, p99] of [
    ['list_p99', p99Of(listPeople)],
    ['search_p99', p99Of(searchPeople)],
  ] as const)
    if (p99.length > 0) measured[id] = median(p99);
  return measured;
}
