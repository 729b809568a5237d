import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { shareContexts } from '../../src/oidc/request-context.ts';

/** Nothing is stored for a look at the keys. */
class NoAdapter {
  async find() {}
  async findByUid() {}
  async findByUserCode() {}
  async upsert() {}
  async consume() {}
  async destroy() {}
  async revokeByGrantId() {}
}

const plain = (): Provider => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const provider = new Provider('http://127.0.0.1', {
    adapter: NoAdapter,
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256' }] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    features: { devInteractions: { enabled: false } },
  });
  provider.silent = true;
  return provider;
};
const shared = (): Provider => {
  const provider = plain();
  shareContexts(provider);
  return provider;
};

/** Asks `provider` for its keys so often, and says what `look` made of each context. */
async function ask<Seen>(
  provider: Provider,
  times: number,
  look: (ctx: KoaContextWithOIDC) => Seen,
  between: (asked: number) => unknown = () => {},
): Promise<Seen[]> {
  const seen: Seen[] = [];
  provider.use(async (ctx: KoaContextWithOIDC, next: () => Promise<void>) => {
    await next();
    seen.push(look(ctx));
  });
  const server = createServer(provider.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let asked = 0; asked < times; asked += 1) {
      const asking = get({ port: (server.address() as AddressInfo).port, path: '/jwks', agent });
      const [answer] = (await once(asking, 'response')) as [IncomingMessage];
      expect(answer.statusCode).to.equal(200);
      await once(answer.resume(), 'end');
      between(asked);
    }
  } finally {
    agent.destroy();
    server.close();
    server.closeAllConnections();
  }
  return seen;
}

describe('the context of a request', () => {
  it('is the same for everybody who sees it, and knows the provider that was asked', async () => {
    const [one, other] = [shared(), shared()];
    for (const provider of [one, other]) {
      const [seen] = await ask(provider, 1, (ctx) => ({
        provider: ctx.oidc.provider,
        route: ctx.oidc.route,
        same: ctx.request.ctx === ctx && ctx.response.ctx === ctx,
        once: ctx.oidc === ctx.oidc,
      }));
      expect(seen).to.deep.include({ route: 'jwks', same: true, once: true });
      expect(seen!.provider).to.equal(provider);
    }
  });

  it('inherits from what all apps share, where no app can leave anything', () => {
    const [one, other] = [shared(), shared()];
    for (const part of ['context', 'request', 'response'] as const) {
      expect(one[part]).to.equal(other[part]);
      expect(() => Object.assign(one[part], { left: 'behind' })).to.throw(TypeError);
    }
  });

  it('is gone with its request, not with the next full collection', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (how?: { type: 'minor' }) => void;
    const old = (): number =>
      getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')!.space_used_size;
    const kept = async (provider: Provider): Promise<number> => {
      collect();
      const before = old();
      await ask(
        provider,
        400,
        (ctx) => {
          // What a request has made: here twenty kilobytes.
          ctx.state['made'] = Array.from({ length: 2_500 }, () => 1);
        },
        (asked) => asked % 50 === 0 && collect({ type: 'minor' }),
      );
      return (old() - before) / 400;
    };
    // Without ours it is otherwise, which shows that this can tell. A full collection may come in between, but not each time.
    const without = [await kept(plain()), await kept(plain()), await kept(plain())];
    expect(Math.max(...without)).to.be.greaterThan(5_000);
    expect(await kept(shared())).to.be.lessThan(2_000);
  });
});
