import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    curves: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    warm: { type: 'string' },
    apps: { type: 'string' },
    people: { type: 'string' },
    sessions: { type: 'string' },
    only: { type: 'string' },
  },
});
const { quick } = values;

/** How much of everything; see docs/performance.md. */
export const plan = {
  quick,
  curves: values.curves,
  rounds: Number(values.rounds ?? (quick ? 2 : 5)),
  sampleMs: Number(values.seconds ?? (quick ? 0.8 : 3)) * 1000,
  /** Until so many requests, or for so long: what is slow would take minutes. */
  warmUp: { count: quick ? 1000 : 30_000, ms: Number(values.warm ?? (quick ? 1 : 30)) * 1000 },
  /** How many samples of a workload at a target are taken again because the machine was disturbed. */
  retakes: quick ? 0 : 5,
  clients: 16,
  apps: Number(values.apps ?? (quick ? 200 : 10_000)),
  people: Number(values.people ?? (quick ? 20_000 : 1_000_000)),
  sessions: Number(values.sessions ?? (quick ? 10_000 : 300_000)),
  only: values.only === undefined ? undefined : new RegExp(values.only),
};
export type Plan = typeof plan;

/** Where the numbers are written, too. */
export const jsonFile = values.json;

export const isWanted = (id: string): boolean => !plan.only || plan.only.test(id);
