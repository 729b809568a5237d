import { join } from 'node:path';
import { fillSessions, refreshOfAnyone } from '../fill/sessions.ts';
import { growApps } from '../fill/apps.ts';
import { listPeople, searchPeople } from '../admin-lists.ts';
import { plan } from '../plan.ts';
import { startAlone, startWithPeople } from '../own-database.ts';
import { type Target, withSecondInstance } from '../targets.ts';
import {
  type AppWorker,
  clientCredentials,
  codeWithSession,
  forTwo,
  manyApps,
  refresh,
  roundRobin,
  signInWithoutHash,
  userinfo,
} from '../workloads.ts';
import type { Curve } from './curve.ts';

/** 1, 10, 100 … up to the number of the plan, which is the last whatever it is. */
const tens = (from: number, to: number): number[] => {
  const points: number[] = [];
  for (let at = from; at < to; at *= 10) points.push(at);
  return [...points, to];
};

const appsOf = new Map<Target['port'], () => AppWorker>();

const apps: Curve = {
  id: 'apps',
  title: 'Apps',
  axis: 'apps, asked for in turn',
  note: 'Each has a client and a key of its own. No provider is built for what is answered without the library.',
  points: tens(1, plan.apps),
  async start(bench, count) {
    const target = await startAlone(bench, 'apps');
    const made: AppWorker[] = [];
    const perSecond = await growApps(made, count, target);
    bench.say(`${count} apps made, ${perSecond.toFixed(0)} a second`);
    appsOf.set(target.port, roundRobin(made));
    return target;
  },
  workloads: [
    {
      label: 'client_credentials',
      workload: manyApps({
        id: 'curve_apps',
        title: 'client_credentials, apps in turn',
        next: (target) => appsOf.get(target.port)!(),
      }),
    },
  ],
};

const users: Curve = {
  id: 'users',
  title: 'People',
  axis: 'people in the table',
  note: 'Sign-ins are anybody’s, the hash left out; lists and searches are read one at a time.',
  points: tens(1000, plan.people),
  start: startWithPeople,
  workloads: [
    { label: 'sign-in', workload: signInWithoutHash },
    { label: 'refresh', workload: refresh },
    { label: 'userinfo', workload: userinfo },
    { label: 'list of users', workload: listPeople },
    { label: 'search of users', workload: searchPeople },
  ],
};

const sessions: Curve = {
  id: 'sessions',
  title: 'Live sessions',
  axis: 'people signed in, each with session, grant and refresh token',
  note: 'Refreshes are anybody’s: hardly any is in Redis. Authorizations are those of sixteen browsers.',
  points: tens(1000, plan.sessions),
  async start(bench, count) {
    const target = await startWithPeople(bench, count);
    await fillSessions(bench.stores, target.place.database, target);
    return target;
  },
  workloads: [
    { label: 'refresh', workload: refreshOfAnyone },
    { label: 'code with a session', workload: codeWithSession },
  ],
};

const processes: Curve = {
  id: 'processes',
  title: 'Processes',
  axis: 'instances on the same stores, every request of a flow at the other one',
  note: 'Sixteen clients for each of two, and as many for one alone. They, Postgres and Redis share the cores with them.',
  points: [1, 2],
  async start(bench, count) {
    const one = await startAlone(bench, 'processes');
    if (count === 1) return one;
    return withSecondInstance('processes', one, { ...one.place, dir: join(bench.dir, 'another') });
  },
  workloads: [
    { label: 'client_credentials', workload: forTwo(clientCredentials('es256'), plan.clients) },
    { label: 'code with a session', workload: forTwo(codeWithSession, plan.clients) },
    { label: 'refresh', workload: forTwo(refresh, plan.clients) },
    { label: 'sign-in', workload: forTwo(signInWithoutHash, plan.clients) },
    { label: 'userinfo', workload: forTwo(userinfo, plan.clients) },
  ],
};

export const curves: readonly Curve[] = [apps, users, sessions, processes];
