import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';

/** How long processes may take to tell theirs; who is silent is left out of the sum. */
const LIMIT_MS = 2000;

type Told = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;
type Message =
  | { latchkey: 'scrape' | 'tell'; id: number }
  | { latchkey: 'told'; id: number; metrics: Told }
  | { latchkey: 'scraped'; id: number; text: string };

const isOurs = (message: unknown): message is Message =>
  typeof message === 'object' && message !== null && 'latchkey' in message;

/** In a process of a cluster: the text of /metrics for all of them, whichever is asked. undefined in any other. */
export function scrapeOfAll(registry: Registry): (() => Promise<string>) | undefined {
  if (!cluster.isWorker) return undefined;
  const waiting = new Map<number, (text: string) => void>();
  const send = (message: Message): void => void process.send?.(message);
  process.on('message', (message: unknown) => {
    if (!isOurs(message)) return;
    const { id } = message;
    if (message.latchkey === 'tell')
      void registry.getMetricsAsJSON().then((metrics) => send({ latchkey: 'told', id, metrics }));
    if (message.latchkey === 'scraped') waiting.get(id)?.(message.text);
  });
  let last = 0;
  return () =>
    new Promise((resolve) => {
      const id = ++last;
      const settle = (text: string | Promise<string>): void => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(text);
      };
      // Twice the limit of the one who asks the others: alone only when that one does not answer at all.
      const timer = setTimeout(() => settle(registry.metrics()), LIMIT_MS * 2);
      waiting.set(id, settle);
      send({ latchkey: 'scrape', id });
    });
}

/** In the primary: asks every process and adds up what they tell. */
export function answerScrapes(): void {
  let last = 0;
  const asked = new Map<number, (metrics: Told, from: Worker) => void>();
  const askAll = (workers: readonly Worker[]): Promise<Told[]> =>
    new Promise((resolve) => {
      const id = ++last;
      const told = new Map<Worker, Told>();
      const settle = (): void => {
        clearTimeout(timer);
        asked.delete(id);
        resolve([...told.values()]);
      };
      const timer = setTimeout(settle, LIMIT_MS);
      asked.set(id, (metrics, from) => {
        told.set(from, metrics);
        if (told.size === workers.length) settle();
      });
      for (const worker of workers) worker.send({ latchkey: 'tell', id } satisfies Message);
    });
  cluster.on('message', (worker, message: unknown) => {
    if (!isOurs(message)) return;
    const { id } = message;
    if (message.latchkey === 'told') asked.get(id)?.(message.metrics, worker);
    if (message.latchkey !== 'scrape') return;
    const connected = Object.values(cluster.workers ?? {}).filter((one) => one?.isConnected());
    void askAll(connected as Worker[])
      .then((metrics) => AggregatorRegistry.aggregate(metrics as unknown as object[]).metrics())
      .then(
        (text) => worker.isConnected() && worker.send({ latchkey: 'scraped', id, text } satisfies Message),
      );
  });
}
