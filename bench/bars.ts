/** The bars of design §8: which ratio, what it must reach, and where it goes. A number here is a goal, never a result. */
export type Bar = {
  workload: string;
  of: string;
  against: string;
  must: number;
  aim: number;
};

export const LATCHKEY = 'Latchkey';
export const EMBEDDED = 'Latchkey embedded';
export const BARE = 'bare';
export const NAIVE = 'naive';
export const WITHOUT_HASH = 'Latchkey, hash left out';
export const TWO = 'Latchkey × 2';
export const ONE_APP = '1 app';
export const peopleAre = (count: number): string => `${count.toLocaleString('en')} people`;

const against = (
  workload: string,
  target: string,
  [must, aim]: [number, number],
  of: string = LATCHKEY,
): Bar => ({
  workload,
  of,
  against: target,
  must,
  aim,
});
/** The same server, asked for one app in turn with many. */
const againstOneApp = (workload: string, bounds: [number, number]): Bar => against(workload, ONE_APP, bounds);
/** A million people in the table against a thousand. */
const againstThousand = (workload: string): Bar =>
  against(`people_${workload}`, peopleAre(1000), [0.9, 0.95], peopleAre(1_000_000));
/** Two instances against one, asked by as many. */
const againstOne = (workload: string): Bar => against(`two_${workload}`, LATCHKEY, [1.25, 1.4], TWO);

export const bars: readonly Bar[] = [
  against('client_credentials_es256', BARE, [0.9, 1.0]),
  against('client_credentials_rs256', BARE, [0.9, 1.0]),
  againstOneApp('apps_1000', [0.9, 0.95]),
  againstOneApp('apps_10000_zipf', [0.8, 0.95]),
  againstOneApp('apps_10000_round_robin', [0.8, 0.95]),
  against('code_with_session', NAIVE, [1.0, 1.4]),
  against('sign_in_without_hash', NAIVE, [1.4, 2.5], WITHOUT_HASH),
  against('refresh', NAIVE, [0.8, 1.25]),
  against('introspect', NAIVE, [0.95, 1.15]),
  against('userinfo', NAIVE, [0.8, 1.0]),
  againstOne('client_credentials_es256'),
  againstOne('code_with_session'),
  againstOne('refresh'),
  againstThousand('sign_in_without_hash'),
  againstThousand('refresh'),
  againstThousand('userinfo'),
];

/** What design §8 bounds by itself. `atLeast`: more is better. */
export type Limit = { id: string; title: string; unit: string; must: number; aim: number; atLeast?: true };

export const limits: readonly Limit[] = [
  { id: 'rss_idle', title: 'resident memory, idle', unit: 'MB', must: 130, aim: 110 },
  { id: 'rss_load', title: 'resident memory under load, 1,000 apps', unit: 'MB', must: 230, aim: 180 },
  {
    id: 'redis_bytes',
    title: 'Redis, for each signed-in user with tokens',
    unit: 'kB',
    must: 3.9,
    aim: 2.5,
  },
  { id: 'start', title: 'start to ready, database migrated', unit: 's', must: 2, aim: 1 },
  { id: 'first_start', title: 'first start, embedded', unit: 's', must: 15, aim: 5 },
  {
    id: 'password_capacity',
    title: 'password sign-ins of cores ÷ (one hash + 6 ms)',
    unit: '×',
    must: 0.75,
    aim: 0.9,
    atLeast: true,
  },
  {
    id: 'overload_goodput',
    title: 'overload: sign-ins finished ÷ the most that can be',
    unit: '×',
    must: 0.9,
    aim: 0.9,
    atLeast: true,
  },
  { id: 'overload_excess_ms', title: 'overload: refusals, p99', unit: 'ms', must: 50, aim: 50 },
  { id: 'list_p99', title: 'Admin API: page of users among 1,000,000, p99', unit: 'ms', must: 5, aim: 5 },
  {
    id: 'search_p99',
    title: 'Admin API: search among 1,000,000 users, p99',
    unit: 'ms',
    must: 50,
    aim: 50,
  },
  { id: 'overload_token_p99', title: 'overload: tokens beside it, p99', unit: 'ms', must: 150, aim: 100 },
];
