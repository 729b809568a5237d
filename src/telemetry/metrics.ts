import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { scrapeOfAll } from './cluster-metrics.ts';
import { addReplicaMetrics } from './replica-metrics.ts';

/**
 * Every metric of ours. Labels have few values: never an app, a user or a path, whose number anyone can grow.
 */
export const metricNames = {
  requestDuration: 'http_server_request_duration_seconds',
  signIns: 'latchkey_sign_ins_total',
  tokensIssued: 'latchkey_tokens_issued_total',
  answeredDirectly: 'latchkey_direct_answers_total',
  tokenHooks: 'latchkey_token_hooks_total',
  mails: 'latchkey_mails_total',
  logoutTokens: 'latchkey_logout_tokens_total',
  jobsPending: 'latchkey_jobs_pending',
  jobsFailed: 'latchkey_jobs_failed_total',
  jobDuration: 'latchkey_job_duration_seconds',
  signInsRefused: 'latchkey_sign_ins_refused_total',
  signInsRefusedShare: 'latchkey_sign_ins_refused_share',
  requestsUnderWay: 'latchkey_requests_under_way',
  hashesWaiting: 'latchkey_password_hashes_waiting',
  breachedPasswords: 'latchkey_breached_password_checks_total',
} as const;

export type Metrics = ReturnType<typeof createMetrics>;

/** A registry of its own, so that several can live in one process. `processMetrics` adds Node's (memory, event loop, GC). */
export function createMetrics({ processMetrics = false }: { processMetrics?: boolean } = {}) {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    requestDuration: new Histogram({
      name: metricNames.requestDuration,
      help: 'Time from the arrival of a request to the end of its answer.',
      labelNames: ['http_route', 'http_request_method', 'http_response_status_code'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    signIns: new Counter({
      name: metricNames.signIns,
      help: 'Sign-ins, by method and result.',
      labelNames: ['method', 'result'],
      registers,
    }),
    ...tokenMetrics(registers),
    mails: new Counter({
      name: metricNames.mails,
      help: 'Mails, by result: sent, failed, retried, expired.',
      labelNames: ['result'],
      registers,
    }),
    logoutTokens: new Counter({
      name: metricNames.logoutTokens,
      help: 'Logout tokens sent to clients, by result: delivered, retried, failed.',
      labelNames: ['result'],
      registers,
    }),
    ...jobMetrics(registers),
    ...loadMetrics(registers),
    breachedPasswords: new Counter({
      name: metricNames.breachedPasswords,
      help: 'New passwords looked up among those from breaches, by result: clean, breached, failed (and allowed).',
      labelNames: ['result'],
      registers,
    }),
    followReplica: (state: Parameters<typeof addReplicaMetrics>[1]) => addReplicaMetrics(registers, state),
    /** The text of /metrics: of all processes, where this is one of several. */
    text: scrapeOfAll(registry) ?? (() => registry.metrics()),
    contentType: registry.contentType,
  };
}

function tokenMetrics(registers: Registry[]) {
  return {
    tokensIssued: new Counter({
      name: metricNames.tokensIssued,
      help: 'Answers of the token endpoint that held tokens.',
      labelNames: ['grant_type'],
      registers,
    }),
    answeredDirectly: new Counter({
      name: metricNames.answeredDirectly,
      help: 'Requests answered without the protocol library.',
      registers,
    }),
    tokenHooks: new Counter({
      name: metricNames.tokenHooks,
      help: 'Calls of token hooks, by result.',
      labelNames: ['result'],
      registers,
    }),
  };
}

function jobMetrics(registers: Registry[]) {
  return {
    jobsPending: new Gauge({
      name: metricNames.jobsPending,
      help: 'Jobs that wait, in the whole deployment.',
      // Each process of a host says the same of all.
      aggregator: 'max',
      registers,
    }),
    jobsFailed: new Counter({
      name: metricNames.jobsFailed,
      help: 'Jobs given up, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    jobDuration: new Histogram({
      name: metricNames.jobDuration,
      help: 'Time a job took, by kind.',
      labelNames: ['kind'],
      buckets: [0.01, 0.05, 0.25, 1, 5, 30],
      registers,
    }),
  };
}

function loadMetrics(registers: Registry[]) {
  const load = { underWay: 0 };
  return {
    /** A plain number, because each request counts in it; the gauge reads it when somebody asks. */
    load,
    requestsUnderWay: new Gauge({
      name: metricNames.requestsUnderWay,
      help: 'Requests that are not answered yet.',
      registers,
      collect() {
        this.set(load.underWay);
      },
    }),
    hashesWaiting: new Gauge({
      name: metricNames.hashesWaiting,
      help: 'Password hashes that wait for a core.',
      registers,
    }),
    signInsRefused: new Counter({
      name: metricNames.signInsRefused,
      help: 'Sign-ins refused at their beginning, because more of them came than could be finished.',
      registers,
    }),
    signInsRefusedShare: new Gauge({
      name: metricNames.signInsRefusedShare,
      help: 'The share of sign-ins that is refused at its beginning, 0 to 1.',
      registers,
    }),
  };
}
