import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPasswordHasher } from '../../src/sign-in/passwords/hash.ts';
import { formsOf } from '../support/agent.ts';
import { secretOn, totpCode } from '../support/totp.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import {
  begin,
  type Careful,
  newAgent,
  PASSWORD,
  type Person,
  REDIRECT,
  type Scene,
  Sender,
  type Shop,
} from './flows.ts';
import { History } from './history.ts';
import { type Instance, makeInstance } from './instance.ts';
import { Ledger } from './ledger.ts';
import { type Link, startLink } from './link.ts';
import { type MailSink, startMailSink } from './mail-sink.ts';
import { makePostgres, type PostgresServer, removeFolder } from './postgres-server.ts';
import { makeRedis, type RedisServer } from './redis-server.ts';

/** What a drill has otherwise than others. */
export type WorldOptions = {
  /** The folder that holds the program: this one, or a copy with something taken out. */
  tree: string;
  /** Variables of both instances. */
  env?: Record<string, string>;
  postgres?: (dir: string) => Promise<PostgresServer>;
  /** Other Redis servers than one behind a link; the URL that the instances use. */
  redis?: (dir: string) => Promise<{ url: string; servers: RedisServer[] }>;
  shopSettings?: Record<string, unknown>;
};

export type World = {
  dir: string;
  baseUrl: string;
  adminKey: string;
  balancer: Balancer;
  instances: [Instance, Instance];
  postgres: PostgresServer;
  postgresLink: Link;
  redis: RedisServer[];
  redisLink: Link;
  /** In front of a client's server that is told of sign-outs, which is not there until a drill makes it. */
  logoutTarget: Link;
  mails: MailSink;
  shop: Shop;
  strict: Shop;
  people: Person[];
  careful: Careful[];
  env: Record<string, string>;
  end(): Promise<void>;
};

const PEOPLE = 30;
const CAREFUL = 8;

/** Two instances behind a balancer, each store behind a link, a mail sink, two apps and their people. */
export async function makeWorld(options: WorldOptions): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-drill-'));
  // The database's account has to get to its own folder in it.
  chmodSync(dir, 0o755);
  const ends: (() => Promise<unknown> | void)[] = [() => removeFolder(dir)];
  const end = async (): Promise<void> => {
    for (const one of ends.toReversed()) await one();
  };
  try {
    return await build(options, { dir, ends, end });
  } catch (error) {
    await end();
    throw error;
  }
}

type Site = { dir: string; ends: (() => Promise<unknown> | void)[]; end(): Promise<void> };

async function build(options: WorldOptions, { dir, ends, end }: Site): Promise<World> {
  const postgres = await (options.postgres ?? makePostgres)(join(dir, 'postgres'));
  ends.push(() => postgres.stop());
  await postgres.start();
  const redis = options.redis
    ? await options.redis(dir)
    : { servers: [await makeRedis(join(dir, 'redis'))], url: undefined };
  ends.push(() => Promise.all(redis.servers.map((server) => server.kill())));
  for (const server of redis.servers) await server.start();
  const [postgresLink, redisLink, logoutTarget, mails, balancer] = await Promise.all([
    startLink(postgres.port),
    startLink(redis.servers[0]!.port),
    startLink(redis.servers[0]!.port),
    startMailSink(),
    startBalancer(),
  ]);
  for (const one of [postgresLink, redisLink, logoutTarget, mails, balancer]) ends.push(() => one.stop());
  await createDatabase(postgres);

  const baseUrl = `http://localhost:${balancer.port}`;
  const adminKey = randomBytes(32).toString('base64url');
  const at = (user: string): string => `postgres://${user}@127.0.0.1:${postgresLink.port}/latchkey`;
  const env = {
    LATCHKEY_ENV: 'development',
    BASE_URL: baseUrl,
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
    TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
    ADMIN_API_KEY: adminKey,
    ENCRYPTION_KEYS: randomBytes(32).toString('base64url'),
    DATABASE_URL: at('latchkey_server'),
    DATABASE_MIGRATION_URL: at('postgres'),
    DATABASE_OPERATOR_URL: at('latchkey_operator'),
    REDIS_URL: redis.url ?? `redis://127.0.0.1:${redisLink.port}`,
    SMTP_URL: `smtp://127.0.0.1:${mails.port}`,
    OUTBOUND_ALLOWED_HOSTS: `127.0.0.1:${logoutTarget.port}`,
    ...options.env,
  };
  const instances = [
    await makeInstance(options.tree, join(dir, 'a'), env),
    await makeInstance(options.tree, join(dir, 'b'), env),
  ] as [Instance, Instance];
  for (const instance of instances) ends.push(() => instance.kill());
  await Promise.all(instances.map((instance) => instance.start()));
  balancer.setTargets(instances.map(({ port }) => port));

  const made = {
    dir,
    baseUrl,
    adminKey,
    balancer,
    instances,
    postgres,
    postgresLink,
    mails,
    redisLink,
    logoutTarget,
    env,
    end,
  };
  return { ...made, redis: redis.servers, ...(await populate(made, options.shopSettings)) };
}

async function createDatabase(postgres: PostgresServer): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    host: '127.0.0.1',
    port: postgres.port,
    user: 'postgres',
    database: 'postgres',
  });
  await client.connect();
  await client.query('create database latchkey');
  await client.end();
}

type Empty = Pick<World, 'baseUrl' | 'adminKey' | 'mails' | 'postgres'>;

/** One app with all methods, one that requires a second factor, and people of both. What they do here is in no history. */
async function populate(
  world: Empty,
  settings: Record<string, unknown> = {},
): Promise<Pick<World, 'shop' | 'strict' | 'people' | 'careful'>> {
  const none: Shop = { appId: '', secret: '' };
  const scene: Scene = {
    ...world,
    history: new History(),
    ledger: new Ledger(),
    shop: none,
    strict: none,
    people: [],
    isOver: () => false,
  };
  const sender = new Sender(scene, 'setup');
  const app = async (appId: string, more: Record<string, unknown>): Promise<Shop> => {
    const body = { app_id: appId, name: appId, type: 'web', redirect_uris: [REDIRECT], settings: more };
    const { status, body: made } = await sender.admin('POST', '/apps', body);
    if (status !== 201) throw new Error(`no app: ${status} ${JSON.stringify(made)}`);
    return { appId, secret: made.client_secret };
  };
  scene.shop = await app('shop', settings);
  scene.strict = await app('strict', { second_factor: 'required' });
  const hash = await (await createPasswordHasher()).hash(PASSWORD);
  const person = async (appId: string, n: number): Promise<Person> => {
    const email = `${appId}-${n}@example.com`;
    const given = { email, email_verified: true, password_hash: hash };
    const { status, body } = await sender.admin('POST', `/apps/${appId}/users`, given);
    if (status !== 201) throw new Error(`nobody: ${status} ${JSON.stringify(body)}`);
    return { email, userId: body.user_id, appId };
  };
  const people: Person[] = [];
  for (let n = 0; n < PEOPLE; n += 1) people.push(await person('shop', n));
  const careful: Careful[] = [];
  for (let n = 0; n < CAREFUL; n += 1) careful.push(await enrol(sender, await person('strict', n)));
  // As if their last codes had been used minutes ago.
  await world.postgres.sql('update totp_authenticators set last_step = last_step - 10');
  return { shop: scene.shop, strict: scene.strict, people, careful };
}

/** The first sign-in of somebody at an app that requires a second factor sets one up. */
async function enrol(sender: Sender, person: Person): Promise<Careful> {
  const begun = (await begin(sender, sender.scene.strict, newAgent(sender.scene)))!;
  const page = await begun.agent.submit(
    begun.page,
    { email: person.email, password: PASSWORD },
    { ending: '/password' },
  );
  const secret = secretOn(page);
  const shown = await begun.agent.submit(page, { code: totpCode(secret) }, { ending: '/enrol/totp' });
  if (!formsOf(shown).some(({ action }) => action.endsWith('/recovery-codes')))
    throw new Error('no recovery codes');
  await begun.agent.submit(shown, {}, { ending: '/recovery-codes' });
  return { ...person, secret, lastStep: 0 };
}
