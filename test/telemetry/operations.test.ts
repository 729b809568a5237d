import { expect } from 'chai';
import supertest from 'supertest';
import type { Config } from '../../src/config/config.ts';
import { operationsRoutes } from '../../src/surfaces/operations/routes.ts';
import { metricNames } from '../../src/telemetry/metrics.ts';
import { Secret, sampleServer } from '../http/sample-server.ts';

const never = () => new Promise<void>(() => {});
const fine = async () => {};

function server(
  changes: Partial<Config> = {},
  checks: {
    database?: () => Promise<void>;
    redis?: (() => Promise<void>) | undefined;
    isDraining?: () => boolean;
  } = {},
) {
  const sample = sampleServer((ctx) => middleware(ctx, async () => {}), changes);
  const middleware = operationsRoutes({
    config: sample.deps.config,
    metrics: sample.deps.metrics,
    health: {
      version: '1.2.3',
      database: fine,
      redis: undefined,
      isDraining: () => false,
      timeoutMs: 50,
      ...checks,
    },
  });
  return { ...sample, request: supertest(sample.app.callback()) };
}

describe('health', () => {
  it('is alive whatever the stores do', async () => {
    expect(
      (
        await server({}, { database: never, isDraining: () => true })
          .request.get('/healthz')
          .expect(200)
      ).body,
    ).to.deep.equal({ status: 'ok' });
  });

  it('is ready when every store answers', async () => {
    for (const path of ['/readyz', '/health']) {
      const { body } = await server({}, { redis: fine }).request.get(path).expect(200);
      expect(body).to.have.all.keys('status', 'version', 'uptime', 'database', 'redis', 'memory_mb');
      expect(body).to.include({ status: 'ok', version: '1.2.3', database: 'ok', redis: 'ok' });
    }
    expect((await server().request.get('/readyz').expect(200)).body.redis).to.equal('none');
  });

  it('is not ready when a store is away, or only slow, or while draining', async () => {
    const away = async () => {
      throw new Error('secret host is away');
    };
    const down = await server({}, { database: away }).request.get('/readyz').expect(503);
    expect(down.body).to.include({ status: 'unavailable', database: 'unavailable' });
    expect(down.text).not.to.include('secret host');
    expect((await server({}, { redis: never }).request.get('/readyz').expect(503)).body).to.include({
      database: 'ok',
      redis: 'unavailable',
    });
    expect(
      (
        await server({}, { isDraining: () => true })
          .request.get('/readyz')
          .expect(503)
      ).body.status,
    ).to.equal('draining');
  });
});

describe('metrics', () => {
  it('know requests by route, never by path', async () => {
    const { request } = server();
    await request.get('/healthz');
    await request.get('/some/unknown/path');
    const { text } = await request.get('/metrics').expect(200);
    expect(text)
      .to.include('http_route="/healthz"')
      .and.to.include('http_route="unmatched"')
      .and.not.to.include('some/unknown');
    for (const name of Object.values(metricNames)) expect(text).to.include(`# HELP ${name} `);
  });

  it('ask for the token when there is one', async () => {
    const { request } = server({ metricsToken: new Secret('a-good-long-metrics-token') });
    await request.get('/metrics').expect(401);
    await request.get('/metrics').set('authorization', 'Bearer wrong').expect(401);
    await request.get('/metrics').set('authorization', 'Bearer a-good-long-metrics-token').expect(200);
  });

  it('answer loopback only in production without a token, and nothing that a proxy there forwards', async () => {
    const { request } = server({ environment: 'production' });
    await request.get('/metrics').expect(200);
    await request.get('/metrics').set('x-forwarded-for', '127.0.0.1').expect(404);
  });
});
