import type { Logger } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { fairLevel } from './fair-level.ts';
import { createProbe, type Signals } from './probe.ts';
import { createQueueControl } from './queue-control.ts';

/** Decides who may begin to sign in while more want to than can be finished. What is under way is never asked about. */
export type Admission = {
  /** Counts one who wants to begin at this app; false when that is one too many. */
  mayBegin(appId: string): boolean;
  /** Whether some are being refused. */
  isShedding(): boolean;
};

export type AdmissionDeps = {
  signals: Signals;
  log: Pick<Logger, 'warn' | 'info'>;
  metrics: Pick<Metrics, 'signInsRefused' | 'signInsRefusedShare'>;
  /** Stands in for how far behind the process is, as a multiple of what is aimed at. */
  behind?: (() => number) | undefined;
};

/** So many a second are taken in by each process, however far behind it is: the queue of hashes has a limit of its own. */
const LEAST_PER_SECOND = 4;
/** Of what an app asked for in this window, against what it asked for before. */
const WEIGHT = 0.15;
const QUIET_MS = 1000;

type Asker = { inWindow: number; perSecond: number; admitted: number; credit: number };

export function createAdmission(deps: AdmissionDeps): Admission {
  const apps = new Map<string, Asker>();
  const control = createQueueControl();
  let lastBegun = 0;
  let isShedding = false;

  const onWindow = (measured: number, seconds: number): void => {
    control.update(deps.behind?.() ?? measured);
    for (const [appId, app] of apps) {
      app.perSecond += WEIGHT * (app.inWindow / seconds - app.perSecond);
      app.inWindow = 0;
      if (app.perSecond < 0.05) apps.delete(appId);
    }
    const share = control.share();
    const asked = [...apps.values()].map(({ perSecond }) => perSecond);
    const all = asked.reduce((sum, one) => sum + one, 0);
    const level = share === 0 ? Infinity : fairLevel(asked, Math.max(all * (1 - share), LEAST_PER_SECOND));
    for (const app of apps.values()) app.admitted = Math.min(1, level / app.perSecond);
    deps.metrics.signInsRefusedShare.set(share);
    tellOnce(share > 0);
  };

  const tellOnce = (is: boolean): void => {
    if (is === isShedding) return;
    isShedding = is;
    if (is) deps.log.warn({}, 'more people sign in than can be: some who begin are refused');
    else deps.log.info({}, 'all who begin to sign in are taken in again');
  };

  const probe = createProbe({
    signals: deps.signals,
    // Until all are taken in again, so that no share stays behind from a storm that is over.
    isNeeded: () => isShedding || performance.now() - lastBegun < QUIET_MS,
    onWindow,
  });

  return {
    isShedding: () => isShedding,
    mayBegin(appId) {
      lastBegun = performance.now();
      probe.start();
      let app = apps.get(appId);
      if (!app) apps.set(appId, (app = { inWindow: 0, perSecond: 0, admitted: 1, credit: 0 }));
      app.inWindow += 1;
      // Evenly, not by lot: of ten with a share of 0.3 each third or fourth.
      app.credit += app.admitted;
      if (app.credit < 1) {
        deps.metrics.signInsRefused.inc();
        return false;
      }
      app.credit -= 1;
      return true;
    },
  };
}
