/** Resolves when the store answers, rejects when it does not. */
export type Check = () => Promise<void>;

export type HealthDeps = {
  version: string;
  database: Check;
  /** undefined: there is no Redis. */
  redis: Check | undefined;
  /** True from SIGTERM on: load balancers stop sending requests here. */
  isDraining: () => boolean;
  /** How long a store may take. */
  timeoutMs?: number;
};

export type Health = {
  status: 'ok' | 'unavailable' | 'draining';
  version: string;
  /** Seconds. */
  uptime: number;
  database: 'ok' | 'unavailable';
  redis: 'ok' | 'unavailable' | 'none';
  memory_mb: number;
};

/** Asks every store at once; never throws and never takes much longer than the time-out. */
export async function healthOf(deps: HealthDeps): Promise<Health> {
  const timeoutMs = deps.timeoutMs ?? 1000;
  const [database, redis] = await Promise.all([
    within(timeoutMs, deps.database),
    deps.redis ? within(timeoutMs, deps.redis) : ('none' as const),
  ]);
  const away = database === 'unavailable' || redis === 'unavailable';
  return {
    status: deps.isDraining() ? 'draining' : away ? 'unavailable' : 'ok',
    version: deps.version,
    uptime: Math.round(process.uptime()),
    database,
    redis,
    memory_mb: Math.round(process.memoryUsage.rss() / 1024 / 1024),
  };
}

async function within(timeoutMs: number, check: Check): Promise<'ok' | 'unavailable'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'unavailable'>((resolve) => {
    timer = setTimeout(() => resolve('unavailable'), timeoutMs);
  });
  const asked = (async () => check())().then(
    () => 'ok' as const,
    () => 'unavailable' as const,
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
