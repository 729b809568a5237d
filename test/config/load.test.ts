import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { checkConfig, loadConfig } from '../../src/config/load.ts';
import { ConfigFaults } from '../../src/config/faults.ts';

const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7)).toString('base64');
const production = {
  BASE_URL: 'https://id.example.com',
  DATABASE_URL: 'postgres://server:hunter2@db/latchkey',
  DATABASE_MIGRATION_URL: 'postgres://owner:hunter3@db/latchkey',
  SMTP_URL: 'smtps://mail.example.com',
  ENCRYPTION_KEYS: KEY,
};

describe('the configuration', () => {
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'latchkey-config-'));
  });
  afterEach(() => rmSync(cwd, { recursive: true, force: true }));

  const load = (env: Record<string, string>) => loadConfig({ env, cwd });
  const faultsOf = (env: Record<string, string>): string[] => {
    try {
      load(env);
    } catch (error) {
      if (error instanceof ConfigFaults)
        return error.faults.map(({ variable, message }) => `${variable}: ${message}`);
      throw error;
    }
    return [];
  };

  it('needs nothing at all in development', () => {
    const config = load({});
    expect(config).to.include({
      environment: 'development',
      baseUrl: 'http://localhost:3000',
      port: 3000,
      host: '127.0.0.1',
      isHttps: false,
      isLoopback: true,
    });
    expect(config.database.kind).to.equal('embedded');
    expect(config.dataDir).to.equal(join(cwd, 'data'));
    expect(config.mailFrom).to.equal('no-reply@localhost');
  });

  it('follows PORT in the default of BASE_URL', () => {
    expect(load({ PORT: '4100' }).baseUrl).to.equal('http://localhost:4100');
  });

  it('generates development secrets once, readable by the owner alone', () => {
    const first = load({});
    const second = load({});
    expect(second.adminApiKey?.reveal()).to.equal(first.adminApiKey?.reveal());
    expect(second.encryptionKeys.reveal()[0].equals(first.encryptionKeys.reveal()[0])).to.equal(true);
    for (const name of ['encryption_keys', 'admin_api_key'])
      expect(statSync(join(cwd, 'data', name)).mode & 0o777).to.equal(0o600);
    expect(first.adminApiKeyPath).to.equal(join(cwd, 'data', 'admin_api_key'));
    expect(readFileSync(first.adminApiKeyPath!, 'utf8').trim()).to.equal(first.adminApiKey?.reveal());
  });

  it('writes nothing when it is only checked', () => {
    expect(checkConfig({ env: {}, cwd }).faults).to.deep.equal([]);
    expect(() => statSync(join(cwd, 'data'))).to.throw('ENOENT');
  });

  it('is production as soon as BASE_URL is not on loopback', () => {
    const config = load(production);
    expect(config).to.include({
      environment: 'production',
      host: '0.0.0.0',
      logFormat: 'json',
      isHttps: true,
    });
    expect(config.adminApiKey).to.equal(undefined);
    expect(config.warnings).to.deep.equal([]);
  });

  it('names every variable that production wants, at once', () => {
    const faults = faultsOf({ BASE_URL: 'http://id.example.com', PORT: 'x', LATCHKEY_TYPO: '1' });
    for (const name of ['LATCHKEY_TYPO', 'PORT', 'BASE_URL', 'ENCRYPTION_KEYS', 'SMTP_URL', 'DATABASE_URL']) {
      expect(
        faults.some((fault) => fault.startsWith(`${name}:`)),
        name,
      ).to.equal(true);
    }
  });

  it('lets production use the embedded database once DATA_DIR is explicit', () => {
    const { DATABASE_URL: _, DATABASE_MIGRATION_URL: __, ...rest } = production;
    expect(faultsOf(rest).join()).to.include('set DATA_DIR');
    expect(load({ ...rest, DATA_DIR: cwd }).database.kind).to.equal('embedded');
  });

  it('refuses secrets in production that were generated for development', () => {
    load({});
    const generated = {
      ENCRYPTION_KEYS: readFileSync(join(cwd, 'data', 'encryption_keys'), 'utf8'),
      ADMIN_API_KEY: readFileSync(join(cwd, 'data', 'admin_api_key'), 'utf8'),
    };
    const faults = faultsOf({ ...production, ...generated });
    expect(faults.map((fault) => fault.split(':')[0])).to.deep.equal(['ENCRYPTION_KEYS', 'ADMIN_API_KEY']);
  });

  for (const [given, origin] of [
    ['https://id.example.com/', 'https://id.example.com'],
    ['HTTPS://ID.Example.com:443', 'https://id.example.com'],
    ['https://id.example.com:8443', 'https://id.example.com:8443'],
  ] as const) {
    it(`takes ${given} for ${origin}`, () =>
      expect(load({ ...production, BASE_URL: given }).baseUrl).to.equal(origin));
  }

  for (const wrong of [
    'https://id.example.com/auth',
    'https://id.example.com//',
    'https://id.example.com?x',
    'https://id.example.com/#',
    'https://u:p@id.example.com',
    'ftp://id.example.com',
    'id.example.com',
    'https://id.example.com.',
  ]) {
    it(`refuses ${wrong} as BASE_URL`, () =>
      expect(faultsOf({ ...production, BASE_URL: wrong }).join()).to.include('BASE_URL:'));
  }

  for (const loopback of [
    'http://127.0.0.1:3000',
    'http://127.8.9.1',
    'http://[::1]:3000',
    'http://latchkey.localhost:3000',
  ]) {
    it(`knows ${loopback} for loopback`, () =>
      expect(load({ BASE_URL: loopback })).to.include({ environment: 'development', isLoopback: true }));
  }

  it('is not deceived by a host that only looks like loopback', () => {
    for (const BASE_URL of ['https://127.0.0.1.evil.example', 'https://localhost.evil.example'])
      expect(load({ ...production, BASE_URL }).isLoopback).to.equal(false);
  });

  it('reads NAME_FILE, and refuses it beside NAME', () => {
    writeFileSync(join(cwd, 'token'), 'a-metrics-token-of-good-length\n');
    expect(load({ METRICS_TOKEN_FILE: join(cwd, 'token') }).metricsToken?.reveal()).to.equal(
      'a-metrics-token-of-good-length',
    );
    expect(
      faultsOf({ METRICS_TOKEN_FILE: 'token', METRICS_TOKEN: 'another-token-of-good-length' }).join(),
    ).to.include('unset one of them');
    expect(faultsOf({ METRICS_TOKEN_FILE: 'nowhere' }).join()).to.include(
      'METRICS_TOKEN_FILE: nowhere can not be read (ENOENT)',
    );
  });

  it('reads .env in development, where the environment wins', () => {
    writeFileSync(join(cwd, '.env'), 'PORT=4000\nLOG_LEVEL=debug\n');
    expect(load({ PORT: '5000' })).to.include({ port: 5000, logLevel: 'debug' });
  });

  it('does not read .env in production, and says so when .env itself makes it that', () => {
    writeFileSync(join(cwd, '.env'), 'LOG_LEVEL=debug\n');
    expect(load(production).logLevel).to.equal('info');
    writeFileSync(join(cwd, '.env'), 'LATCHKEY_ENV=production\n');
    expect(faultsOf({}).join()).to.include('.env: makes this a production deployment');
  });

  it('ignores what Kubernetes and Docker announce about a service called latchkey', () => {
    const links = {
      LATCHKEY_SERVICE_HOST: '10.0.0.1',
      LATCHKEY_SERVICE_PORT_HTTP: '80',
      LATCHKEY_PORT: 'tcp://10.0.0.1:80',
      LATCHKEY_PORT_80_TCP_ADDR: '10.0.0.1',
    };
    expect(faultsOf(links)).to.deep.equal([]);
    expect(faultsOf({ LATCHKEY_PORT: '80' })).to.deep.equal(['LATCHKEY_PORT: is unknown; the name is PORT']);
  });

  it('takes keys as base64, base64url and hex, newest first', () => {
    const bytes = [1, 2, 3].map((seed) =>
      Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 31 + seed) % 256)),
    );
    const text = [
      bytes[0]!.toString('base64'),
      bytes[1]!.toString('base64url'),
      bytes[2]!.toString('hex'),
    ].join(', ');
    const keys = load({ ENCRYPTION_KEYS: text }).encryptionKeys.reveal();
    expect(keys.map((key) => key.toString('hex'))).to.deep.equal(bytes.map((key) => key.toString('hex')));
  });

  for (const [what, value] of [
    ['short', 'abc'],
    ['not random', 'A'.repeat(43)],
    ['doubled', `${KEY},${KEY}`],
  ] as const) {
    it(`refuses an encryption key that is ${what}`, () =>
      expect(faultsOf({ ENCRYPTION_KEYS: value }).join()).to.include('ENCRYPTION_KEYS:'));
  }

  it('refuses an ADMIN_API_KEY below 32 characters', () => {
    expect(faultsOf({ ADMIN_API_KEY: 'abcdefghijklmnopqrstuvwxyz01234' })).to.deep.equal([
      'ADMIN_API_KEY: must have at least 32 characters',
    ]);
  });

  it('refuses contradictions', () => {
    expect(faultsOf({ DATABASE_OPERATOR_URL: 'postgres://o@db/x' }).join()).to.include('DATABASE_URL is not');
    for (const [replica, why] of [
      [{ DATABASE_REPLICA_URL: 'postgres://db/x' }, 'DATABASE_URL is not'],
      [{ DATABASE_REPLICA_MAX_LAG: '5' }, 'DATABASE_REPLICA_URL is not'],
      [{ DATABASE_REPLICA_URL: 'postgres://o:p@db/x' }, 'must name no user'],
      [{ DATABASE_REPLICA_URL: 'postgres:///x' }, 'must name a host'],
    ] as const)
      expect(faultsOf(replica).join()).to.include(why);
    expect(faultsOf({ WEB_CONCURRENCY: '9' }).join()).to.include('set DATABASE_URL');
    expect(
      faultsOf({ DATABASE_URL: 'postgres://o@db/x', DATABASE_OPERATOR_URL: 'postgres://o@db/x' }).join(),
    ).to.include('must name another role');
  });

  it('understands Redis alone, with Sentinels and as a cluster', () => {
    expect(load({ REDIS_URL: 'rediss://:pw@r:6380' }).redis?.kind).to.equal('single');
    const sentinel = load({ REDIS_URL: 'redis+sentinel://u:p%40ss@a:1,b/main/2' }).redis;
    expect(sentinel).to.deep.include({
      kind: 'sentinel',
      name: 'main',
      database: 2,
      tls: false,
      username: 'u',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
    });
    expect(sentinel?.kind === 'sentinel' && sentinel.password?.reveal()).to.equal('p@ss');
    expect(load({ REDIS_URL: 'rediss+cluster://a:7000,b:7001' }).redis).to.deep.include({
      kind: 'cluster',
      tls: true,
    });
    expect(faultsOf({ REDIS_URL: 'redis+sentinel://a:1' }).join()).to.include('must name the master');
  });

  it('takes hosts that may be fetched from in the form in which they are compared', () => {
    const { outboundAllowedHosts } = load({
      OUTBOUND_ALLOWED_HOSTS: 'Hooks.Corp.example., [::1]:8443,0x7f.1:80',
    });
    expect(outboundAllowedHosts).to.deep.equal(['hooks.corp.example', '[::1]:8443', '127.0.0.1:80']);
    expect(load({}).outboundAllowedHosts).to.deep.equal([]);
    for (const text of [
      'https://a.example',
      'a.example:0',
      'a.example:70000',
      '*.example',
      'a@b',
      'a,,b',
      '::1',
    ])
      expect(faultsOf({ OUTBOUND_ALLOWED_HOSTS: text }), text).to.have.length(1);
  });

  it('refuses networks that are none', () => {
    expect(load({ TRUSTED_PROXIES: '10.0.0.0/8, ::1' }).trustedProxies).to.deep.equal(['10.0.0.0/8', '::1']);
    for (const TRUSTED_PROXIES of ['10.0.0.0/33', 'proxy.example', '10.0.0.0/8/9', '']) {
      expect(faultsOf({ TRUSTED_PROXIES }).length, TRUSTED_PROXIES).to.equal(TRUSTED_PROXIES ? 1 : 0);
    }
  });

  it('never prints a secret, in no way of printing', () => {
    const config = load({ ...production, ADMIN_API_KEY: 'canary-0123456789-abcdefghijklmnop' });
    for (const printed of [
      inspect(config, { depth: 9, showHidden: true }),
      JSON.stringify(config),
      String(config.adminApiKey),
      String(config.smtpUrl),
    ]) {
      for (const secret of ['canary', 'hunter2', 'hunter3', KEY]) expect(printed).not.to.include(secret);
    }
  });

  it('never quotes a secret in a fault', () => {
    const faults = faultsOf({
      ADMIN_API_KEY: 'canary',
      METRICS_TOKEN: 'canary',
      ENCRYPTION_KEYS: 'canary',
      DATABASE_URL: 'mysql://canary',
      REDIS_URL: 'canary',
      SMTP_URL: 'canary',
    });
    expect(faults).to.have.length(6);
    expect(faults.join()).not.to.include('canary');
  });

  it('is frozen through and through', () => {
    const config = load({ TRUSTED_PROXIES: '10.0.0.1' });
    expect(() => (config as { port: number }).port++).to.throw(TypeError);
    expect(() => (config.trustedProxies as string[]).push('x')).to.throw(TypeError);
    expect(Object.isFrozen(config.database)).to.equal(true);
  });
});
