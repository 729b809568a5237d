import { askRedis, type RedisServer, startRedisServer } from './redis-server.ts';
import { freePort, until } from './program.ts';

export type RedisCluster = { url: string; nodes: RedisServer[] };

const SLOTS = 16_384;
const MASTERS = 3;

/** Six nodes on loopback: three share the slots, each has a replica. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const buses = await Promise.all(Array.from({ length: 2 * MASTERS }, freePort));
  const nodes = await Promise.all(
    buses.map((bus) =>
      startRedisServer({
        'cluster-enabled': 'yes',
        'cluster-port': String(bus),
        'cluster-node-timeout': '2000',
        'repl-diskless-sync-delay': '0',
      }),
    ),
  );
  const [first] = nodes;
  for (const [at, { port }] of nodes.entries()) {
    if (at < MASTERS) await must(port, `CLUSTER ADDSLOTSRANGE ${slotsOf(at)}`);
    if (at > 0) await must(first!.port, `CLUSTER MEET 127.0.0.1 ${port} ${buses[at]}`);
  }
  await everywhere(nodes, 'all nodes know each other', /cluster_known_nodes:6/);
  for (const [at, { port }] of nodes.slice(MASTERS).entries()) {
    const [, master] = /\r\n(\w+)\r\n/.exec(await askRedis(nodes[at]!.port, 'CLUSTER MYID'))!;
    await until('a replica is taken', async () =>
      (await askRedis(port, `CLUSTER REPLICATE ${master}`)).startsWith('+OK'),
    );
    await until('it is in step', async () =>
      (await askRedis(port, 'INFO replication')).includes('master_link_status:up'),
    );
  }
  await everywhere(nodes, 'the cluster serves', /cluster_state:ok/);
  return { nodes, url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}` };
}

const slotsOf = (at: number): string =>
  [at, at + 1].map((edge, end) => Math.floor((edge * SLOTS) / MASTERS) - end).join(' ');

async function must(port: number, command: string): Promise<void> {
  const reply = await askRedis(port, command);
  if (!reply.startsWith('+OK')) throw new Error(`${command} was answered ${reply}`);
}

async function everywhere(nodes: RedisServer[], what: string, pattern: RegExp): Promise<void> {
  for (const { port } of nodes)
    await until(what, async () => pattern.test(await askRedis(port, 'CLUSTER INFO')));
}

/** The nodes that are in charge of slots now. */
export async function mastersOf({ nodes }: RedisCluster): Promise<RedisServer[]> {
  const roles = await Promise.all(
    nodes.map(({ port }) => askRedis(port, 'INFO replication').catch(() => '')),
  );
  return nodes.filter((_, at) => roles[at]!.includes('role:master'));
}

/** There are no numbered databases in a cluster, so each test finds it empty instead. */
export async function emptyRedisCluster(url: string): Promise<void> {
  for (const [, port] of url.matchAll(/127\.0\.0\.1:(\d+)/g))
    if ((await askRedis(Number(port), 'ROLE')).includes('master')) await must(Number(port), 'FLUSHALL');
}
