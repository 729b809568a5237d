import { Counter, Gauge, type Registry } from 'prom-client';

type State = { isUsed: boolean; lagSeconds: number | undefined; reads: { replica: number; primary: number } };

/** What is known of the replica, read when it is asked for. Only where there is one. */
export function addReplicaMetrics(registers: Registry[], state: () => State): void {
  const used: Gauge = new Gauge({
    name: 'latchkey_replica_used',
    help: 'Whether lists are read from the replica (1) or from the primary (0).',
    aggregator: 'min',
    registers,
    collect() {
      used.set(state().isUsed ? 1 : 0);
    },
  });
  const lag: Gauge = new Gauge({
    name: 'latchkey_replica_lag_seconds',
    help: 'How far behind the primary the replica is; NaN when it was never seen to follow.',
    aggregator: 'max',
    registers,
    collect() {
      lag.set(state().lagSeconds ?? Number.NaN);
    },
  });
  const reads: Counter<'from'> = new Counter({
    name: 'latchkey_list_reads_total',
    help: 'Lists that may lag, by where they were read: replica, primary.',
    labelNames: ['from'],
    registers,
    collect() {
      reads.reset();
      for (const [from, count] of Object.entries(state().reads)) reads.inc({ from }, count);
    },
  });
}
